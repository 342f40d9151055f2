/// Where a List goes on (keyset paging): the key of the last row that was sent, tied to the query that it belongs to.
public enum PageToken {
  /// Why a page token is refused.
  public enum Refused: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not a page token, or damaged.
    case malformed
    /// A page token of another query: other method, filter or order.
    case otherQuery

    /// One line for the caller.
    public var description: String {
      switch self {
      case .malformed: "page_token is not one that this service gave out"
      case .otherQuery: "page_token belongs to a request with other fields; send the same request for each page"
      }
    }
  }

  /// A token behind the row with this key. `query` names all that selects and orders rows: method, parent, filter.
  public static func encode(query: String, key: [OpaqueToken.Field]) -> String {
    OpaqueToken.encode(.page, [.integer(fingerprint(query))] + key)
  }

  /// The key of the last row sent, for the same `query`; it has at least one value.
  public static func decode(_ text: String, query: String) throws(Refused) -> [OpaqueToken.Field] {
    let fields: [OpaqueToken.Field]
    do { fields = try OpaqueToken.decode(.page, text) } catch { throw .malformed }
    guard fields.count > 1, case .integer(let fingerprint) = fields[0] else { throw .malformed }
    guard fingerprint == self.fingerprint(query) else { throw .otherQuery }
    return Array(fields.dropFirst())
  }

  private static func fingerprint(_ query: String) -> Int64 {
    var fingerprint = Fingerprint()
    fingerprint.add(query)
    return Int64(bitPattern: fingerprint.value)
  }
}

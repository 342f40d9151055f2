import Core
import RPCCore

/// One page of a list, as a caller asks for it.
public struct PageRequest: Sendable {
  /// Most bytes of records in one reply, so that it stays under gRPC's limit of 4 MiB whatever the records' size. A page ends
  /// early there; it always has at least one record.
  public static let maximumBytes = 3 << 20

  /// How many records the page has at most.
  public let size: Int
  /// The last place sent, as `token(after:)` took it; nil at the beginning.
  public let place: [OpaqueToken.Field]?
  private let query: String

  /// `query` names the list and all that selects its records: a token of another one is refused. Throws INVALID_ARGUMENT.
  public init(size: Int32, token: String, standard: Int, maximum: Int, query: [String]) throws {
    guard size >= 0 else { throw RPCError.invalid("page_size", "must not be negative") }
    self.size = size == 0 ? standard : min(Int(size), maximum)
    self.query = query.map { "\($0.utf8.count):\($0)" }.joined()
    do throws(PageToken.Refused) {
      place = token.isEmpty ? nil : try PageToken.decode(token, query: self.query)
    } catch {
      throw RPCError.invalid("page_token", error.description)
    }
  }

  /// The last key sent, of a list in order of one text; empty at the beginning.
  public func textPlace() throws -> String {
    guard let place else { return "" }
    guard place.count == 1, case .text(let text) = place[0] else { throw malformed }
    return text
  }

  /// What goes into the reply, of records that were read one further than the page's size.
  public func cut<Record>(_ records: [Record], byteCount: (Record) -> Int) -> (items: [Record], hasMore: Bool) {
    var bytes = 0
    var count = 0
    for record in records.prefix(size) {
      bytes += byteCount(record)
      if count > 0, bytes > PageRequest.maximumBytes { break }
      count += 1
    }
    return (Array(records.prefix(count)), records.count > count)
  }

  /// The token behind the record with this key.
  public func token(after key: String) -> String { token(after: [.text(key)]) }

  /// The token behind this place in the list's order.
  public func token(after place: [OpaqueToken.Field]) -> String { PageToken.encode(query: query, key: place) }

  /// The error for a token whose place does not fit the list's order.
  public var malformed: RPCError { RPCError.invalid("page_token", PageToken.Refused.malformed.description) }
}

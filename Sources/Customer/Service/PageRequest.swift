import Core
import RPCCore

/// One page of a list, as a caller asks for it.
struct PageRequest {
  /// Most bytes of records in one reply, so that it stays under gRPC's limit of 4 MiB whatever the records' size. A page ends
  /// early there; it always has at least one record.
  static let maximumBytes = 3 << 20

  /// How many records the page has at most.
  let size: Int
  private let query: String
  private let key: [OpaqueToken.Field]?

  /// `query` names the list and all that selects its records: a token of another one is refused.
  init(size: Int32, token: String, standard: Int, maximum: Int, query: [String]) throws {
    guard size >= 0 else { throw RPCError.invalid("page_size", "must not be negative") }
    self.size = size == 0 ? standard : min(Int(size), maximum)
    self.query = query.map { "\($0.utf8.count):\($0)" }.joined()
    do throws(PageToken.Refused) {
      key = token.isEmpty ? nil : try PageToken.decode(token, query: self.query)
    } catch {
      throw RPCError.invalid("page_token", error.description)
    }
  }

  /// The last key sent, of a list in order of one text; empty at the beginning.
  func textPlace() throws -> String {
    guard let key else { return "" }
    guard case .text(let text) = key.first else { throw malformed }
    return text
  }

  /// The last place sent, of a search by name.
  func namePlace() throws -> NamePlace {
    guard let key else { return .beginning }
    guard key.count == 2, case .integer(let length) = key[0], case .integer(let number) = key[1] else {
      throw malformed
    }
    return NamePlace(length: length, number: number)
  }

  /// What goes into the reply, of records that were read one further than the page's size.
  func cut<Record>(_ records: [Record], byteCount: (Record) -> Int) -> (items: [Record], hasMore: Bool) {
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
  func token(after key: String) -> String { PageToken.encode(query: query, key: [.text(key)]) }

  /// The token behind this place.
  func token(after place: NamePlace) -> String {
    PageToken.encode(query: query, key: [.integer(place.length), .integer(place.number)])
  }

  private var malformed: RPCError { RPCError.invalid("page_token", PageToken.Refused.malformed.description) }
}

import API
import Protobuf
import RPCCore

/// A bulk import of one kind of records over a stream of batches.
protocol ImportTarget: Sendable {
  associatedtype Record: Sendable
  associatedtype Request: Message
  associatedtype Response: Message

  /// The streaming method.
  static var method: MethodDescriptor { get }
  /// Kinds of mappings that make such records.
  static var kinds: Set<RecordKind> { get }
  /// The record of a row.
  static func record(_ row: MappedRow) throws(RowFault) -> Record
  /// A batch.
  static func request(source: String, _ rows: [(line: Int, record: Record)]) -> Request
  /// What became of a batch.
  static func outcome(_ response: Response) -> BatchOutcome
}

/// What became of a batch: all that is not rejected is on disk.
struct BatchOutcome: Equatable, Sendable {
  var created = 0
  var updated = 0
  var unchanged = 0
  /// Reasons by line.
  var rejected: [Int: String] = [:]
}

/// CustomerService.ImportParties.
enum PartyImport: ImportTarget {
  static let method = CustomerServiceMethods.importParties
  static let kinds: Set<RecordKind> = [.person, .company]

  static func record(_ row: MappedRow) throws(RowFault) -> Party { try PartyRow.make(row) }

  static func request(source: String, _ rows: [(line: Int, record: Party)]) -> ImportPartiesRequest {
    ImportPartiesRequest(source: source, rows: rows.map { ImportPartyRow(line: Int64($0.line), party: $0.record) })
  }

  static func outcome(_ response: ImportPartiesResponse) -> BatchOutcome {
    BatchOutcome(
      created: Int(response.created), updated: Int(response.updated), unchanged: Int(response.unchanged),
      rejected: reasons(response.rejected))
  }
}

/// PolicyService.ImportPolicies.
enum PolicyImport: ImportTarget {
  static let method = PolicyServiceMethods.importPolicies
  static let kinds: Set<RecordKind> = [.policy]

  static func record(_ row: MappedRow) throws(RowFault) -> Policy { try PolicyRow.make(row) }

  static func request(source: String, _ rows: [(line: Int, record: Policy)]) -> ImportPoliciesRequest {
    ImportPoliciesRequest(source: source, rows: rows.map { ImportPolicyRow(line: Int64($0.line), policy: $0.record) })
  }

  static func outcome(_ response: ImportPoliciesResponse) -> BatchOutcome {
    BatchOutcome(
      created: Int(response.created), updated: Int(response.updated), unchanged: Int(response.unchanged),
      rejected: reasons(response.rejected))
  }
}

/// PolicyService.ImportPremiums.
enum PremiumImport: ImportTarget {
  static let method = PolicyServiceMethods.importPremiums
  static let kinds: Set<RecordKind> = [.premium]

  static func record(_ row: MappedRow) throws(RowFault) -> ImportPremiumRow { try PremiumRow.make(row) }

  static func request(source: String, _ rows: [(line: Int, record: ImportPremiumRow)]) -> ImportPremiumsRequest {
    ImportPremiumsRequest(
      source: source,
      rows: rows.map { line, record in
        var row = record
        row.line = Int64(line)
        return row
      })
  }

  static func outcome(_ response: ImportPremiumsResponse) -> BatchOutcome {
    BatchOutcome(
      created: Int(response.created), updated: Int(response.updated), unchanged: Int(response.unchanged),
      rejected: reasons(response.rejected))
  }
}

private func reasons(_ rows: [RejectedRow]) -> [Int: String] {
  Dictionary(rows.map { (Int($0.line), $0.reason) }, uniquingKeysWith: { first, _ in first })
}

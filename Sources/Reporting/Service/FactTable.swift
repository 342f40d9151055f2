import Storage

/// A table of facts. Its rows carry the generation that they belong to: a rebuild fills a new one beside the one that reports
/// read, and changes over at the end.
struct FactTable: Sendable {
  let name: String
  /// The last of its key columns, by which old rows are removed bit by bit.
  let key: String
  let columns: [String]
  private let upsertion: String

  /// `keys` come first of the columns, behind the generation.
  init(_ name: String, keys: [String], values: [String]) {
    self.name = name
    key = keys.first ?? "generation"
    columns = ["generation"] + keys + values + ["version"]
    let marks = columns.map { _ in "?" }.joined(separator: ", ")
    let changes = (values + ["version"]).map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    upsertion = """
      INSERT INTO \(name) (\(columns.joined(separator: ", "))) VALUES (\(marks))
      ON CONFLICT (\((["generation"] + keys).joined(separator: ", "))) DO UPDATE SET \(changes)
      WHERE excluded.version > \(name).version
      """
  }

  /// Writes a row over what is there of it, if that is older; values in the order of `columns`, without generation and version.
  func upsert(_ place: FactPlace, _ values: [SQLValue]) -> Statement {
    Statement(upsertion, [.integer(place.generation)] + values + [.integer(place.version)])
  }

  static let policy = FactTable(
    "policy", keys: ["policy_id"],
    values: [
      "source", "party_id", "product_code", "channel", "partner_id", "branch_id", "agent_id", "frequency", "state",
      "end_cause", "issue_date", "end_date", "observed_until", "micromonths", "premium", "currency",
    ])
  static let premium = FactTable(
    "premium", keys: ["policy_id", "due_date"],
    values: ["due", "currency", "received_date", "received", "automatic_loan"])
  static let party = FactTable("party", keys: ["party_id"], values: ["source", "customer_id"])
  static let agent = FactTable(
    "agent", keys: ["agent_id"], values: ["code", "name", "branch_id", "team_id", "state"])
  static let team = FactTable("team", keys: ["team_id"], values: ["branch_id", "name"])
  static let branch = FactTable("branch", keys: ["branch_id"], values: ["code", "name"])
  static let partner = FactTable("partner", keys: ["partner_id"], values: ["code", "name", "kind"])
  static let product = FactTable("product", keys: ["product_id"], values: ["code", "name", "line", "state"])
}

/// Where a fact belongs: which generation of the facts, and which version of what it is about.
struct FactPlace: Sendable {
  let generation: Int64
  let version: Int64
}

/// A service whose events are followed.
public enum FollowedService: String, CaseIterable, Sendable {
  /// Parties, policies and premiums.
  case customer
  /// Agents, branches and teams.
  case agent
  /// Partners and products.
  case partner

  /// What is kept of it.
  var tables: [FactTable] {
    switch self {
    case .customer: [.policy, .premium, .party]
    case .agent: [.agent, .branch, .team]
    case .partner: [.partner, .product]
    }
  }
}

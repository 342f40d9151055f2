import API
import Storage

/// How a dimension is written in reports.
enum DimensionText {
  /// Stands for a value that a policy does not have.
  static let unknown = "unknown"
  /// Stands for the one value of a report that is not divided.
  static let all = "all"

  /// The column's name, for example "premium_frequency"; nil if the report is not divided.
  static func column(_ dimension: Dimension) -> String? {
    dimension == .unspecified ? nil : String(dimension.name.dropFirst("DIMENSION_".count)).lowercased()
  }

  /// The table that has names for the dimension's values, which are ids or codes; nil if the values speak for themselves.
  private static func table(_ dimension: Dimension) -> (service: FollowedService, table: FactTable)? {
    switch dimension {
    case .team: (.agent, .team)
    case .product: (.partner, .product)
    case .partner: (.partner, .partner)
    case .branch: (.agent, .branch)
    case .agent: (.agent, .agent)
    default: nil
    }
  }

  /// Parameters of a lookup.
  static let lookupParameters = 2

  /// Where a dimension of policies is known from another service's facts: that service, and what gives the value of a policy p.
  /// Takes the generation of those facts as `lookupParameters` parameters. Policies name agents as their source does: by id or
  /// by code.
  static func lookup(_ dimension: Dimension) -> (service: FollowedService, sql: String)? {
    func of(_ table: FactTable, _ value: String, _ reference: String) -> String {
      func by(_ key: String) -> String {
        "(SELECT \(value) FROM \(table.name) WHERE generation = ? AND \(key) = p.\(reference))"
      }
      return "COALESCE(\(by(table.key)), \(by("code")))"
    }
    switch dimension {
    case .team: return (.agent, of(.agent, "team_id", "agent_id"))
    case .productLine: return (.partner, of(.product, "line", "product_code"))
    case .productState: return (.partner, of(.product, "state", "product_code"))
    default: return nil
    }
  }

  /// A word for a value of an enum: "premium-frequency" for DIMENSION_PREMIUM_FREQUENCY.
  static func word(_ name: String, _ prefix: String) -> String {
    let word = name.dropFirst(prefix.count).lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
    return word == "unspecified" ? unknown : word
  }

  /// Names of these values by value; nil for a dimension without names.
  static func names(
    _ dimension: Dimension, of values: [String], database: any Database
  ) async throws -> [String: String]? {
    guard let (service, table) = table(dimension) else { return nil }
    let generation = try await ProgressRepository(database: database).progress(of: service).current.number
    var names: [String: String] = [:]
    var rest = values[...]
    while !rest.isEmpty {
      let list = try Statement.list(rest.prefix(1_000).map(SQLValue.text))
      rest = rest.dropFirst(1_000)
      // By code first: where a code reads like another's id, the id counts.
      for key in table.columns.contains("code") ? ["code", table.key] : [table.key] {
        let rows = try await database.query(
          Statement(
            "SELECT \(key), name FROM \(table.name) WHERE generation = ? AND \(key) IN (\(list.sql))",
            [.integer(generation)] + list.parameters), access: .scan)
        for row in rows { names[try row.text(0)] = try row.text(1) }
      }
    }
    return names
  }
}

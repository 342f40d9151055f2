import API
import Storage

/// How a dimension is written in reports.
enum DimensionText {
  /// Stands for a value that a policy does not have.
  static let unknown = "unknown"

  /// The column's name, for example "premium_frequency"; nil if the report is not divided.
  static func column(_ dimension: Dimension) -> String? {
    dimension == .unspecified ? nil : String(dimension.name.dropFirst("DIMENSION_".count)).lowercased()
  }

  /// The table that has names for the dimension's values, which are ids or codes; nil if the values speak for themselves.
  private static func table(_ dimension: Dimension) -> (service: FollowedService, table: FactTable)? {
    switch dimension {
    case .product: (.partner, .product)
    case .partner: (.partner, .partner)
    case .branch: (.agent, .branch)
    case .agent: (.agent, .agent)
    default: nil
    }
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
      let rows = try await database.query(
        Statement(
          """
          SELECT \(table.key), code, name FROM \(table.name)
          WHERE generation = ? AND (\(table.key) IN (\(list.sql)) OR code IN (\(list.sql)))
          """, [.integer(generation)] + list.parameters + list.parameters), access: .scan)
      for row in rows {
        names[try row.text(0)] = try row.text(2)
        names[try row.text(1)] = try row.text(2)
      }
    }
    return names
  }
}

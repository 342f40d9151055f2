import Storage

/// The partner service's own tables; README of services/partner tells what each is for.
enum PartnerSchema {
  static let migrations: [Migration] = [
    .keyed(version: 1, name: "partners and products") { table("partner", keyed: $0) + table("product", keyed: $0) }
  ]

  /// Partners and products are kept alike: an id, a code that nobody else has, and the message of the facts.
  private static func table(_ name: String, keyed: String) -> [String] {
    [
      """
      CREATE TABLE \(name) (
        id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, version INTEGER NOT NULL, payload BLOB NOT NULL,
        create_time INTEGER NOT NULL, update_time INTEGER NOT NULL) \(keyed)
      """,
      "CREATE UNIQUE INDEX \(name)_by_code ON \(name) (code)",
    ]
  }
}

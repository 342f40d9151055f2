/// The tables of the audit log, which every service's database has. What they mean is for the target Audit to say.
enum AuditSchema {
  /// Component "audit".
  static let migrations: [Migration] = [
    Migration(
      component: "audit", version: 1, name: "audit log", statements: tables(keyed: "STRICT"),
      sqlite: tables(keyed: "STRICT, WITHOUT ROWID"))
  ]

  private static func tables(keyed: String) -> [String] {
    [
      // Leaves that have no place yet. body is NULL where an event with this id tells of the change.
      """
      CREATE TABLE audit_pending (
        entry_id TEXT PRIMARY KEY NOT NULL, aggregate_id TEXT NOT NULL, aggregate_version INTEGER NOT NULL,
        method TEXT NOT NULL, calling_service TEXT NOT NULL, body BLOB) \(keyed)
      """,
      // In order of their places: 0, 1, 2 … without a gap. hash is RFC 6962's of the leaf; body is NULL once it was dropped. The
      // columns between repeat what the body says, for searching.
      """
      CREATE TABLE audit_leaf (
        position INTEGER PRIMARY KEY NOT NULL, hash BLOB NOT NULL, aggregate_id TEXT NOT NULL,
        aggregate_version INTEGER NOT NULL, actor TEXT NOT NULL, recorded_time INTEGER NOT NULL, body BLOB) STRICT
      """,
      "CREATE INDEX audit_leaf_by_aggregate ON audit_leaf (aggregate_id, position)",
      "CREATE INDEX audit_leaf_by_actor ON audit_leaf (actor, position)",
      "CREATE INDEX audit_leaf_by_time ON audit_leaf (recorded_time, position)",
      // Roots of complete subtrees of 2^level leaves, for each fourth level: the others are made from at most eight of these.
      """
      CREATE TABLE audit_node (
        level INTEGER NOT NULL, number INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, number)) \(keyed)
      """,
      // One row: how many leaves have a place, and the roots of the largest complete subtrees that hold them. epoch is the log
      // epoch in which the last one got its place.
      """
      CREATE TABLE audit_log (
        only INTEGER PRIMARY KEY NOT NULL CHECK (only = 1), epoch TEXT NOT NULL, size INTEGER NOT NULL,
        frontier BLOB NOT NULL) STRICT
      """,
      // The last signed checkpoint of each hour.
      """
      CREATE TABLE audit_checkpoint (
        hour INTEGER PRIMARY KEY NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL) STRICT
      """,
      "CREATE INDEX audit_checkpoint_by_size ON audit_checkpoint (size)",
      // Bodies of the leaves before `below` are dropped; those before `done` have been. note is the checkpoint of
      // that size.
      """
      CREATE TABLE audit_dropped (
        below INTEGER PRIMARY KEY NOT NULL, done INTEGER NOT NULL, note TEXT NOT NULL, time INTEGER NOT NULL) STRICT
      """,
      // Checkpoints of other services' logs that were verified here: the last of each hour.
      """
      CREATE TABLE audit_witnessed (
        origin TEXT NOT NULL, hour INTEGER NOT NULL, size INTEGER NOT NULL, note TEXT NOT NULL,
        received_time INTEGER NOT NULL, PRIMARY KEY (origin, hour)) \(keyed)
      """,
      // Checkpoints that were signed by a log and contradict one of its earlier ones: the evidence.
      """
      CREATE TABLE audit_refused (
        origin TEXT NOT NULL, received_time INTEGER NOT NULL, reason TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (origin, received_time)) \(keyed)
      """,
    ]
  }
}

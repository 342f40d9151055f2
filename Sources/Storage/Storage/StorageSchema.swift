/// The tables that every service's database has. Applied by the driver before the service's own.
public enum StorageSchema {
  /// Components "storage" and "audit".
  public static let migrations: [Migration] = own + AuditSchema.migrations

  private static let own: [Migration] = [
    Migration(
      component: "storage", version: 1, name: "outbox, sequencer and idempotency",
      statements: [
        // A rowid table: rows are appended as they are committed, and read in nearly that order.
        """
        CREATE TABLE event (
          event_id TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER, aggregate_id TEXT NOT NULL,
          aggregate_version INTEGER NOT NULL, type TEXT NOT NULL, effective_time INTEGER NOT NULL,
          recorded_time INTEGER NOT NULL, actor TEXT NOT NULL, payload BLOB NOT NULL,
          PRIMARY KEY (aggregate_id, aggregate_version)) STRICT
        """,
        "CREATE UNIQUE INDEX event_by_position ON event (partition, position) WHERE position IS NOT NULL",
        // Holds only what waits for a number, in the order in which it gets one.
        """
        CREATE INDEX event_unnumbered ON event (partition, aggregate_id, aggregate_version) WHERE position IS NULL
        """,
        // The number last given, and the lease of the sequencer that gives them.
        """
        CREATE TABLE event_partition (
          partition INTEGER PRIMARY KEY NOT NULL, last_position INTEGER NOT NULL, holder TEXT NOT NULL,
          fencing_token INTEGER NOT NULL, expires_time INTEGER NOT NULL) STRICT
        """,
        """
        CREATE TABLE log_epoch (
          only INTEGER PRIMARY KEY NOT NULL CHECK (only = 1), epoch TEXT NOT NULL) STRICT
        """,
        """
        CREATE TABLE idempotency (
          caller TEXT NOT NULL, method TEXT NOT NULL, request_id TEXT NOT NULL, request_hash BLOB NOT NULL,
          reply BLOB NOT NULL, create_time INTEGER NOT NULL, PRIMARY KEY (caller, method, request_id)) STRICT
        """,
        "CREATE INDEX idempotency_by_time ON idempotency (create_time)",
      ]),
    .keyed(component: "storage", version: 2, name: "snapshots of the log") { keyed in
      [
        // Up to removed_up_to, events that a later one of their aggregate has overtaken are gone.
        """
        CREATE TABLE event_snapshot (
          partition INTEGER NOT NULL PRIMARY KEY, snapshot_position INTEGER NOT NULL, events INTEGER NOT NULL,
          create_time INTEGER NOT NULL, removed_up_to INTEGER NOT NULL) \(keyed)
        """
      ]
    },
  ]
}

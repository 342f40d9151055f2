import Storage

extension Webhooks {
  /// The tables of component "webhooks".
  public static let migrations: [Migration] = [
    .keyed(component: "webhooks", version: 1, name: "webhooks and dead letters") { keyed in
      [
        // position: events up to there were taken, given up, or are not for it. version changes with each write but a delivery's, so
        // that a delivery under way cannot undo one.
        """
        CREATE TABLE webhook (
          webhook_id TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, types TEXT NOT NULL, state INTEGER NOT NULL,
          position INTEGER NOT NULL, generation INTEGER NOT NULL, old_secret_end_time INTEGER NOT NULL,
          failures INTEGER NOT NULL, last_error TEXT NOT NULL, next_time INTEGER NOT NULL,
          create_time INTEGER NOT NULL) \(keyed)
        """,
        // event is a mainstay.platform.v1.Event: it stays when the log's own is removed.
        """
        CREATE TABLE webhook_dead_letter (
          webhook_id TEXT NOT NULL, position INTEGER NOT NULL, event_id TEXT NOT NULL, event BLOB NOT NULL,
          attempts INTEGER NOT NULL, error TEXT NOT NULL, time INTEGER NOT NULL, replaying INTEGER NOT NULL,
          PRIMARY KEY (webhook_id, position)) \(keyed)
        """,
      ]
    },
    .keyed(component: "webhooks", version: 2, name: "posts from outside", effect: .expands) { keyed in
      [
        """
        CREATE TABLE webhook_source (
          source_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, generation INTEGER NOT NULL,
          old_secret_end_time INTEGER NOT NULL, create_time INTEGER NOT NULL) \(keyed)
        """,
        "CREATE UNIQUE INDEX webhook_source_by_name ON webhook_source (name)",
        // Posts that were taken and could not be applied. What was applied is known by its answer in idempotency.
        """
        CREATE TABLE webhook_unapplied (
          source_id TEXT NOT NULL, webhook_id TEXT NOT NULL, body BLOB NOT NULL, error TEXT NOT NULL,
          attempts INTEGER NOT NULL, receive_time INTEGER NOT NULL, PRIMARY KEY (source_id, webhook_id)) \(keyed)
        """,
      ]
    },
  ]
}

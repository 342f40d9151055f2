import Storage

/// The reporting service's own tables; README of services/reporting tells what each is for. All of them can be made anew from
/// the events of the other services.
enum ReportingSchema {
  static let migrations: [Migration] = [
    .keyed(version: 1, name: "facts") { keyed in
      [
        // How far the events of each service are applied; at most one row that is being built.
        """
        CREATE TABLE progress (
          service TEXT NOT NULL, generation INTEGER NOT NULL, is_building INTEGER NOT NULL, token TEXT NOT NULL,
          applied INTEGER NOT NULL, last_recorded INTEGER NOT NULL, PRIMARY KEY (service, generation)) \(keyed)
        """,
        // Days since 1970; times in millionths of a month; enums by the numbers of the proto.
        """
        CREATE TABLE policy (
          generation INTEGER NOT NULL, policy_id TEXT NOT NULL, source TEXT NOT NULL, party_id TEXT NOT NULL,
          product_code TEXT NOT NULL, channel INTEGER NOT NULL, partner_id TEXT NOT NULL, branch_id TEXT NOT NULL,
          agent_id TEXT NOT NULL, frequency INTEGER NOT NULL, state INTEGER NOT NULL, end_cause INTEGER NOT NULL,
          issue_date INTEGER NOT NULL, end_date INTEGER, observed_until INTEGER, micromonths INTEGER NOT NULL,
          premium INTEGER, currency TEXT NOT NULL, PRIMARY KEY (generation, policy_id)) \(keyed)
        """,
        "CREATE INDEX policy_by_source ON policy (generation, source, policy_id)",
        """
        CREATE TABLE premium (
          generation INTEGER NOT NULL, policy_id TEXT NOT NULL, due_date INTEGER NOT NULL, due INTEGER NOT NULL,
          currency TEXT NOT NULL, received_date INTEGER, received INTEGER NOT NULL, automatic_loan INTEGER NOT NULL,
          PRIMARY KEY (generation, policy_id, due_date)) \(keyed)
        """,
        """
        CREATE TABLE party (
          generation INTEGER NOT NULL, party_id TEXT NOT NULL, source TEXT NOT NULL, customer_id TEXT NOT NULL,
          PRIMARY KEY (generation, party_id)) \(keyed)
        """,
        """
        CREATE TABLE agent (
          generation INTEGER NOT NULL, agent_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
          branch_id TEXT NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (generation, agent_id)) \(keyed)
        """,
        """
        CREATE TABLE branch (
          generation INTEGER NOT NULL, branch_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
          PRIMARY KEY (generation, branch_id)) \(keyed)
        """,
        """
        CREATE TABLE partner (
          generation INTEGER NOT NULL, partner_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
          kind INTEGER NOT NULL, PRIMARY KEY (generation, partner_id)) \(keyed)
        """,
        """
        CREATE TABLE product (
          generation INTEGER NOT NULL, product_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
          line INTEGER NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (generation, product_id)) \(keyed)
        """,
        // Events of kinds that this program does not know, as mainstay.platform.v1.Event.
        """
        CREATE TABLE unknown_event (
          service TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, event BLOB NOT NULL,
          PRIMARY KEY (service, event_id)) \(keyed)
        """,
      ]
    },
    .keyed(version: 2, name: "versions of facts, and teams") { keyed in
      // All facts are told anew: only the events have what is missing.
      ["policy", "premium", "party", "agent", "branch", "partner", "product"].map { "DROP TABLE \($0)" }
        + ["DELETE FROM progress"] + versioned(keyed)
    },
  ]

  /// As in version 1, with the version of what each row is about: an older event cannot undo a newer one.
  private static func versioned(_ keyed: String) -> [String] {
    [
      """
      CREATE TABLE policy (
        generation INTEGER NOT NULL, policy_id TEXT NOT NULL, source TEXT NOT NULL, party_id TEXT NOT NULL,
        product_code TEXT NOT NULL, channel INTEGER NOT NULL, partner_id TEXT NOT NULL, branch_id TEXT NOT NULL,
        agent_id TEXT NOT NULL, frequency INTEGER NOT NULL, state INTEGER NOT NULL, end_cause INTEGER NOT NULL,
        issue_date INTEGER NOT NULL, end_date INTEGER, observed_until INTEGER, micromonths INTEGER NOT NULL,
        premium INTEGER, currency TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (generation, policy_id)) \(keyed)
      """,
      "CREATE INDEX policy_by_source ON policy (generation, source, policy_id)",
      """
      CREATE TABLE premium (
        generation INTEGER NOT NULL, policy_id TEXT NOT NULL, due_date INTEGER NOT NULL, due INTEGER NOT NULL,
        currency TEXT NOT NULL, received_date INTEGER, received INTEGER NOT NULL, automatic_loan INTEGER NOT NULL,
        version INTEGER NOT NULL, PRIMARY KEY (generation, policy_id, due_date)) \(keyed)
      """,
      """
      CREATE TABLE party (
        generation INTEGER NOT NULL, party_id TEXT NOT NULL, source TEXT NOT NULL, customer_id TEXT NOT NULL,
        version INTEGER NOT NULL, PRIMARY KEY (generation, party_id)) \(keyed)
      """,
      """
      CREATE TABLE team (
        generation INTEGER NOT NULL, team_id TEXT NOT NULL, branch_id TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, PRIMARY KEY (generation, team_id)) \(keyed)
      """,
      // Policies name these as their source does: by id or by code.
      """
      CREATE TABLE agent (
        generation INTEGER NOT NULL, agent_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
        branch_id TEXT NOT NULL, team_id TEXT NOT NULL, state INTEGER NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (generation, agent_id)) \(keyed)
      """,
      """
      CREATE TABLE branch (
        generation INTEGER NOT NULL, branch_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, PRIMARY KEY (generation, branch_id)) \(keyed)
      """,
      """
      CREATE TABLE partner (
        generation INTEGER NOT NULL, partner_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
        kind INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (generation, partner_id)) \(keyed)
      """,
      """
      CREATE TABLE product (
        generation INTEGER NOT NULL, product_id TEXT NOT NULL, code TEXT NOT NULL, name TEXT NOT NULL,
        line INTEGER NOT NULL, state INTEGER NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (generation, product_id)) \(keyed)
      """,
    ]
      + ["agent", "branch", "partner", "product"].map { "CREATE INDEX \($0)_by_code ON \($0) (generation, code)" }
  }
}

import Storage

/// The agent service's own tables; README of services/agent tells what each is for.
enum AgentSchema {
  static let migrations: [Migration] = [
    .keyed(version: 1, name: "branches, teams and agents") { keyed in
      [
        // payload of each table is the message of the facts alone.
        """
        CREATE TABLE branch (
          branch_id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, version INTEGER NOT NULL, payload BLOB NOT NULL,
          create_time INTEGER NOT NULL, update_time INTEGER NOT NULL) \(keyed)
        """,
        "CREATE UNIQUE INDEX branch_by_code ON branch (code)",
        """
        CREATE TABLE team (
          team_id TEXT NOT NULL PRIMARY KEY, branch_id TEXT NOT NULL REFERENCES branch, name TEXT NOT NULL,
          version INTEGER NOT NULL, payload BLOB NOT NULL, create_time INTEGER NOT NULL,
          update_time INTEGER NOT NULL) \(keyed)
        """,
        "CREATE UNIQUE INDEX team_by_name ON team (branch_id, name)",
        "CREATE INDEX team_by_branch ON team (branch_id, team_id)",
        """
        CREATE TABLE agent (
          agent_id TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, branch_id TEXT NOT NULL REFERENCES branch,
          team_id TEXT REFERENCES team, version INTEGER NOT NULL, payload BLOB NOT NULL,
          create_time INTEGER NOT NULL, update_time INTEGER NOT NULL) \(keyed)
        """,
        "CREATE UNIQUE INDEX agent_by_code ON agent (code)",
        "CREATE INDEX agent_by_branch ON agent (branch_id, agent_id)",
        "CREATE INDEX agent_by_team ON agent (team_id, agent_id) WHERE team_id IS NOT NULL",
        // Which numbers are taken; what a licence allows stands with its agent.
        "CREATE TABLE licence (number TEXT NOT NULL PRIMARY KEY, agent_id TEXT NOT NULL REFERENCES agent) \(keyed)",
      ]
    },
    .keyed(version: 2, name: "activities") { keyed in
      [
        // One agent's lie together in order of time: a list, latest first, reads one range from its end.
        """
        CREATE TABLE activity (
          agent_id TEXT NOT NULL REFERENCES agent, activity_time INTEGER NOT NULL, activity_id TEXT NOT NULL,
          payload BLOB NOT NULL, PRIMARY KEY (agent_id, activity_time, activity_id)) \(keyed)
        """
      ]
    },
  ]
}

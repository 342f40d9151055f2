import Storage

extension Jobs {
  /// The tables of component "jobs".
  public static let migrations: [Migration] = [
    .keyed(component: "jobs", version: 1, name: "jobs and the lease of each kind") { keyed in
      [
        // States by the numbers of mainstay.platform.v1.JobState. parameters and result are a type's name and the message.
        """
        CREATE TABLE job (
          job_id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, state INTEGER NOT NULL,
          parameters_type TEXT NOT NULL, parameters BLOB NOT NULL, result_type TEXT NOT NULL, result BLOB NOT NULL,
          checkpoint BLOB NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, unit TEXT NOT NULL,
          text TEXT NOT NULL, error TEXT NOT NULL, attempts INTEGER NOT NULL, starts INTEGER NOT NULL,
          cancel_requested INTEGER NOT NULL, actor TEXT NOT NULL, create_time INTEGER NOT NULL,
          due_time INTEGER NOT NULL, start_time INTEGER, update_time INTEGER NOT NULL, end_time INTEGER) \(keyed)
        """,
        "CREATE INDEX job_open ON job (kind, state, due_time) WHERE state <= 2",
        "CREATE INDEX job_by_end ON job (end_time) WHERE end_time IS NOT NULL",
        // Who works on a kind: one at a time. next_time is when the service begins one by itself, for kinds that have a pause.
        """
        CREATE TABLE job_kind (
          kind TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, fencing_token INTEGER NOT NULL,
          expires_time INTEGER NOT NULL, next_time INTEGER NOT NULL) \(keyed)
        """,
      ]
    }
  ]
}

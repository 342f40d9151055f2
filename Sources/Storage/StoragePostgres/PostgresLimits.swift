/// The limits of a PostgreSQL database, each with the reason for its value.
public struct PostgresLimits: Sendable {
  /// Interactive batches that may wait for a connection. A longer queue only makes callers time out.
  public var interactiveQueue = 4_096
  /// Bulk batches that may wait: they are large, and importers wait for their answers anyway.
  public var bulkQueue = 64
  /// Point queries that may wait.
  public var pointQueue = 4_096
  /// Scans that may wait.
  public var scanQueue = 256
  /// Connections that write: so many batches can share one wait of the server for its disk.
  public var writeConnections = 16
  /// How many of them imports may have at a time.
  public var bulkConnections = 2
  /// Connections for point queries.
  public var pointConnections = 6
  /// Connections for scans; each is a process of the server at full work.
  public var scanConnections = 2
  /// Prepared statements kept per connection.
  public var cachedStatements = 128
  /// Rows of a point query.
  public var pointRows = 4_096
  /// Rows of a scan; all of them are in memory at once.
  public var scanRows = 100_000
  /// Largest text or blob, in bytes; the same as on SQLite.
  public var valueBytes = 16 << 20
  /// Milliseconds after which the server stops a statement of a batch, also one that waits for another's row.
  public var writeMilliseconds = 30_000
  /// Milliseconds after which the server stops a point query.
  public var pointMilliseconds = 5_000
  /// Milliseconds after which the server stops a scan.
  public var scanMilliseconds = 60_000
  /// Milliseconds that a start waits for another replica that is changing the schema.
  public var migrationLockMilliseconds = 60_000
  /// Milliseconds after which the server takes back a transaction of a replica that has fallen silent in the middle.
  public var silentTransactionMilliseconds = 10_000
  /// Milliseconds between two looks of the server whether the client of a running statement is still there.
  public var lostClientMilliseconds = 500
  /// Milliseconds for reaching the server, with TLS and password.
  public var connectMilliseconds = 10_000
  /// Milliseconds without a reply after which a connection is given up: longer than any statement may run.
  public var silenceMilliseconds = 120_000
  /// First pause after a connection could not be opened, in milliseconds; it doubles.
  public var firstBackoffMilliseconds = 50
  /// Longest pause between two attempts to open a connection.
  public var maximumBackoffMilliseconds = 2_000
  /// How long a call waits for a server that cannot be reached: the time that a restart takes.
  public var patienceMilliseconds = 10_000
  /// Attempts of a batch that meets deadlocks or lost connections before its commit.
  public var attempts = 5

  /// The limits as documented.
  public init() {}

  /// The same with so many connections in all (at least 4): a quarter for point queries, an eighth for scans, the rest for writes.
  public init(connections: Int) {
    pointConnections = max(1, connections / 4)
    scanConnections = max(1, connections / 8)
    writeConnections = max(2, connections - pointConnections - scanConnections)
    bulkConnections = max(1, writeConnections / 8)
  }
}

/// The limits of a SQLite database, each with the reason for its value.
public struct SQLiteLimits: Sendable {
  /// Interactive batches that may wait. At some thousand commits a second a longer queue only makes callers time out.
  public var interactiveQueue = 4_096
  /// Bulk batches that may wait: they are large, and importers wait for their answers anyway.
  public var bulkQueue = 64
  /// Batches that share a transaction at most.
  public var groupBatches = 64
  /// A group takes no further batch after so many nanoseconds.
  public var groupNanoseconds: UInt64 = 2_000_000
  /// Interactive groups in a row while a bulk batch waits; then that one goes, so that imports do not starve.
  public var interactiveGroupsInRow = 4
  /// Steps of SQLite's machine in a point query: a few milliseconds, since they run on an event loop.
  public var pointSteps = 250_000
  /// Rows of a point query.
  public var pointRows = 4_096
  /// Steps of SQLite's machine in a scan: several seconds.
  public var scanSteps = 500_000_000
  /// Rows of a scan; all of them are in memory at once.
  public var scanRows = 100_000
  /// Scans that may wait.
  public var scanQueue = 256
  /// Threads that scan.
  public var scanThreads = 2
  /// Connections for point queries; as many are opened as threads ask at the same time.
  public var pointConnections = 64
  /// Prepared statements kept per connection.
  public var cachedStatements = 128
  /// Page cache of the writing connection, in KiB.
  public var writerCacheKibibytes = 65_536
  /// Page cache of each reading connection, in KiB. A commit makes it stale, so a large one brings little.
  public var readerCacheKibibytes = 8_192
  /// Largest text or blob, in bytes.
  public var valueBytes = 16 << 20
  /// WAL pages from which a checkpoint is run beside the writer once no batch waits.
  public var idleCheckpointPages = 1_000
  /// WAL pages from which the writer itself runs a checkpoint between two groups, so that the WAL stays bounded under
  /// load without a pause: 64 MiB.
  public var busyCheckpointPages = 16_384
  /// What is left of the WAL file after a checkpoint, in bytes.
  public var keptWALBytes = 64 << 20
  /// Milliseconds that a connection waits for another one's lock; within one process only recovery takes one.
  public var busyTimeoutMilliseconds: Int32 = 5_000
  /// Size of the database in pages of 4,096 bytes at which writes are refused as if the disk were full; nil is
  /// SQLite's own limit.
  public var databasePages: Int?

  /// The limits as documented.
  public init() {}
}

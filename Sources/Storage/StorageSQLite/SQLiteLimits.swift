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
  /// WAL pages that are written between two checkpoints; these run on a thread of their own, beside the writer.
  public var checkpointPages = 1_000
  /// WAL pages from which the writer, between two groups, finishes what a checkpoint beside it could not because more came
  /// meanwhile, so that the WAL begins anew: 64 MiB.
  public var finishedCheckpointPages = 16_384
  /// Most WAL pages, one group of batches aside: 256 MiB. Only somebody who reads for long keeps the WAL from beginning anew
  /// before that: running scans are then stopped, and writes are refused as overloaded until they have ended.
  public var maximumWALPages = 65_536
  /// What is left of the WAL file after a checkpoint, in bytes.
  public var keptWALBytes = 64 << 20
  /// Milliseconds that a connection waits for another one's lock; within one process only recovery takes one.
  public var busyTimeoutMilliseconds: Int32 = 5_000
  /// Size of the database in pages of 4,096 bytes at which writes are refused as if the disk were full; nil is
  /// SQLite's own limit.
  public var databasePages: Int?

  /// Disk space that is held beside the database and given up when the disk is full, so that what was committed can be moved
  /// into the file and the process can stop cleanly: 8 MiB. 0 holds none.
  public var reservedBytes = 8 << 20

  /// For tests: a file system known to SQLite by this name, in place of the system's.
  package var fileSystem: String?
  /// For tests: nothing is synced, to see that a test of syncing finds it.
  package var isUnsynced = false

  /// The limits as documented.
  public init() {}
}

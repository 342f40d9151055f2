import Core
import CSQLite
import Storage

/// A service's database in one SQLite file, with one thread that writes and some that read.
///
/// A write waits in the `Writer`'s lines and is committed with its neighbours (`GroupCommit`); a point query runs on the
/// caller's thread (`PointReaders`), a scan on a thread of the driver (`ScanReaders`).
public final class SQLiteDatabase: Database {
  /// Raised after each commit that held events.
  public let committedEvents = AsyncSignal()
  /// See `Database.dialect`.
  public let dialect = Migration.Dialect.sqlite

  let file: DatabaseFile
  private let clock: any Clock
  let writer: Writer
  private let pointReaders: PointReaders
  private let scanReaders: ScanReaders
  private let checkpointer = Checkpointer()
  private let reserve: DiskReserve
  private let otherThreads: [WorkerThread]
  private let writerThread: WorkerThread

  /// Opens or creates the file and its folder, and takes the lock that keeps other processes out.
  ///
  /// Throws `StorageError`: `.inUse`, `.foreignFile`, `.corrupt`, `.cannotOpen`, `.readOnly`, `.full`.
  public init(path: String, clock: any Clock, limits: SQLiteLimits = SQLiteLimits()) throws {
    _ = SQLiteDatabase.withoutMemoryStatistics
    self.clock = clock
    file = try DatabaseFile(path: path)
    let connection = try Connection(path: path, role: .writer, limits: limits)
    try file.claim(connection)
    let moving = try Connection(path: path, role: .checkpointer, limits: limits)
    let scanConnections = try (0..<limits.scanThreads).map { _ in
      try Connection(path: path, role: .reader, limits: limits)
    }
    let reserve = DiskReserve(path: path, bytes: limits.reservedBytes)
    let (writer, readers) = (
      Writer(limits: limits, clock: clock, committedEvents: committedEvents), ScanReaders(limits: limits)
    )
    let checkpointer = checkpointer
    self.reserve = reserve
    self.writer = writer
    scanReaders = readers
    pointReaders = PointReaders(path: path, limits: limits)
    var threads: [WorkerThread] = []
    do {
      for connection in scanConnections {
        threads.append(try WorkerThread(path: path) { readers.work(connection) })
      }
      threads.append(
        try WorkerThread(path: path) {
          checkpointer.work(moving, onFailure: { writer.fail($0) }, onFull: { reserve.giveUp() })
        })
      writerThread = try WorkerThread(path: path) {
        let room = WriterRoom(
          connection: connection, limits: limits, reserve: reserve, checkpointer: checkpointer,
          stopScans: { readers.stopRunning($0) })
        writer.work(room)
      }
    } catch {
      _ = readers.beginClosing()
      checkpointer.beginClosing()
      for thread in threads { thread.join() }
      throw error
    }
    otherThreads = threads
  }

  deinit { close() }

  /// What the writer has done.
  public var statistics: WriterStatistics { writer.statistics }

  /// See `Database.commit`.
  @discardableResult
  public func commit(_ batch: Batch, lane: WriteLane) async throws -> BatchReceipt {
    try await writer.commit(batch, lane: lane)
  }

  /// See `Database.query`.
  public func query(_ statement: Statement, access: ReadAccess) async throws -> [Row] {
    switch access {
    case .point: try pointReaders.query(statement)
    case .scan: try await scanReaders.query(statement)
    }
  }

  /// See `Database.migrate`.
  public func migrate(_ migrations: [Migration]) async throws {
    let clock = clock
    try await writer.run { try SchemaUpgrade(connection: $0, clock: clock).run(migrations) }
  }

  /// See `Database.close`. The writer's connection goes last: as it is closed SQLite moves the WAL into the file.
  public func close() {
    guard scanReaders.beginClosing() else { return }
    checkpointer.beginClosing()
    for thread in otherThreads { thread.join() }
    pointReaders.close()
    writer.beginClosing()
    writerThread.join()
    file.unlock()
  }

  /// Runs what blocks for long, beside all other work.
  func onThreadOfItsOwn<Success: Sendable>(_ body: @escaping @Sendable () throws -> Success) async throws -> Success {
    let path = file.path
    return try await withCheckedThrowingContinuation { continuation in
      do {
        try WorkerThread(path: path) { continuation.resume(with: Result(catching: body)) }.detach()
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  /// Once per process, before the first connection. A refusal (somebody has used SQLite before) costs a little speed.
  private static let withoutMemoryStatistics = mainstay_sqlite_without_memory_statistics()
}

import AuditProof
import Core
import Storage

/// Drops the bytes of leaves that need not be kept any longer. Their hashes stay, so that every proof and checkpoint holds as before;
/// a leaf says how far it went, and by which checkpoint it is covered.
public struct LeafRetention: Sendable {
  /// How long leaves are kept if nobody says otherwise, in days: ten years.
  public static let defaultDays = 3_650
  /// How long they must be kept at least, in days: half a year.
  public static let minimumDays = 183
  /// Most leaves of one batch.
  public static let maximumChunk: Int64 = 1_000
  /// Pause between two looks.
  public static let interval = Duration.seconds(3_600)

  private let log: AuditLog
  private let days: Int
  private let clock: any Clock
  private let random: any RandomSource
  private var database: any Database { log.database }

  /// Keeps the leaves of a log for so many days, at least `minimumDays`.
  public init(log: AuditLog, days: Int, clock: any Clock, random: any RandomSource) {
    (self.log, self.days) = (log, max(days, LeafRetention.minimumDays))
    (self.clock, self.random) = (clock, random)
  }

  /// Until the task is cancelled; then throws `CancellationError`. Errors that it survives go to `onError`.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    while true {
      do {
        try await begin()
        while try await drop() > 0 { try Task.checkCancellation() }
      } catch let error as CancellationError {
        throw error
      } catch {
        onError(error)
      }
      try await sleep(LeafRetention.interval)
    }
  }

  /// Says in the log what is going to be dropped: all leaves below the last checkpoint that is old enough. False if that is nothing
  /// new.
  @discardableResult
  public func begin() async throws -> Bool {
    let now = clock.now()
    let hour = now.seconds / 3_600 - Int64(days) * 24
    let covering = try await database.row(
      Statement("SELECT size, note FROM audit_checkpoint WHERE hour < ? ORDER BY hour DESC LIMIT 1", [.integer(hour)]))
    let last = try await database.row(Statement("SELECT max(below) FROM audit_dropped"))?.optionalInteger(0) ?? 0
    guard let covering, try covering.integer(0) > last else { return false }
    let below = try covering.integer(0)
    var batch = Batch([
      Statement(
        "INSERT INTO audit_dropped (below, done, note, time) VALUES (?, ?, ?, ?)",
        [.integer(below), .integer(last), .text(try covering.text(1)), .time(now)],
        expect: .unique(orFail: TreeGrowth.outrun))
    ])
    let root = try Checkpoint(unverified: try covering.text(1)).root.base64
    batch.audit = [log.entry(.retention, "below=\(below) root=\(root) days=\(days)", clock, random)]
    do { try await database.commit(batch, lane: .bulk) } catch StorageError.conflict(TreeGrowth.outrun) { return false }
    return true
  }

  /// Drops the next bodies of what the log says is dropped; of how many leaves, 0 when that is done.
  public func drop() async throws -> Int {
    let row = try await database.row(
      Statement("SELECT below, done FROM audit_dropped WHERE done < below ORDER BY below LIMIT 1"))
    guard let row else { return 0 }
    let (below, done) = (try row.integer(0), try row.integer(1))
    let end = min(below, done + LeafRetention.maximumChunk)
    try await database.commit(
      Batch([
        Statement(
          "UPDATE audit_dropped SET done = ? WHERE below = ? AND done = ?",
          [.integer(end), .integer(below), .integer(done)],
          expect: .changes(1, orFail: TreeGrowth.outrun)),
        Statement(
          """
          UPDATE audit_leaf SET body = NULL, aggregate_id = '', aggregate_version = 0, actor = ''
          WHERE position >= ? AND position < ? AND body IS NOT NULL
          """, [.integer(done), .integer(end)]),
      ]), lane: .bulk)
    return Int(end - done)
  }
}

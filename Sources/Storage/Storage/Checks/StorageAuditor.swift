import Core
import Synchronization

/// Looks at the invariants of a running service's database, slice by slice, again and again, as long as the service runs.
public final class StorageAuditor: Sendable {
  /// Shortest pause between two slices.
  public static let shortestPause = Duration.milliseconds(200)
  /// A pause lasts so many times as long as its slice took: at most 2 % of one thread.
  public static let restFactor = 50
  /// Pause between two passes.
  public static let passInterval = Duration.seconds(600)
  /// Pause after an error.
  public static let errorInterval = Duration.seconds(30)
  /// Most findings of a pass that are told one by one.
  public static let maximumToldFindings = 20

  /// What it has seen so far.
  public struct Figures: Hashable, Sendable {
    /// Findings of the last whole pass, or of the one that runs if that has more.
    public var violations: Int { max(lastPassFindings, findings) }
    /// Whole passes.
    public var passes = 0
    /// When the last whole pass ended; nil before.
    public var lastPassTime: Timestamp?
    /// Rows that were looked at.
    public var rows = 0
    var findings = 0
    var lastPassFindings = 0
  }

  private let database: any Database
  private let invariants: [Invariant]
  private let clock: any Clock
  private let state = Mutex(Figures())

  /// An auditor of these invariants.
  public init(_ database: any Database, _ invariants: [Invariant], clock: any Clock) {
    self.database = database
    self.invariants = invariants
    self.clock = clock
  }

  /// What it has seen so far.
  public var figures: Figures { state.withLock { $0 } }

  /// Until the task is cancelled; then throws `CancellationError`. `sleep` is the event loop's and must end early when cancelled.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onFinding: @Sendable (Finding) -> Void,
    onError: @Sendable (any Error) -> Void
  ) async throws {
    while true {
      state.withLock { $0.findings = 0 }
      for invariant in invariants {
        try await look(at: invariant, sleep: sleep, onFinding: onFinding, onError: onError)
      }
      let now = clock.now()
      state.withLock { figures in
        figures.passes += 1
        figures.lastPassTime = now
        figures.lastPassFindings = figures.findings
      }
      try await sleep(StorageAuditor.passInterval)
    }
  }

  private func look(
    at invariant: Invariant, sleep: @Sendable (Duration) async throws -> Void,
    onFinding: @Sendable (Finding) -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    var place: [SQLValue]?
    repeat {
      try Task.checkCancellation()
      let begin = clock.monotonicNanoseconds()
      do {
        let slice = try await invariant.slice(of: database, after: place)
        note(slice.findings, rows: slice.rows, onFinding)
        place = slice.next
      } catch let error as CancellationError {
        throw error
      } catch StorageError.corrupt(_, let detail) {
        // What lies behind the damage cannot be reached in order.
        note([Finding(invariant.name, place: "pages", problem: detail)], rows: 0, onFinding)
        place = nil
      } catch {
        onError(error)
        try await sleep(StorageAuditor.errorInterval)
      }
      let took = Duration.nanoseconds(Int64(clamping: clock.monotonicNanoseconds() - begin))
      try await sleep(max(StorageAuditor.shortestPause, took * StorageAuditor.restFactor))
    } while place != nil
  }

  private func note(_ found: [Finding], rows: Int, _ onFinding: (Finding) -> Void) {
    let told = state.withLock { figures in
      defer {
        figures.findings += found.count
        figures.rows += rows
      }
      return max(0, StorageAuditor.maximumToldFindings - figures.findings)
    }
    for finding in found.prefix(told) { onFinding(finding) }
  }
}

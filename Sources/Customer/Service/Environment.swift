import Core
import CustomerDomain
import RPCCore
import Storage
import Synchronization

/// What every use case of the service stands on.
struct Environment: Sendable {
  let database: any Database
  let clock: any Clock
  let random: any RandomSource
  let nameRows = NameRowNumbers()

  /// So many fresh ids in ascending order, so that rows written together lie in the order in which they came.
  func identifiers<Kind>(_ count: Int, of kind: Identifier<Kind>.Type) -> [Identifier<Kind>] {
    Identifier<Kind>.ascending(count, clock: clock, random: random)
  }

  /// When, and by whom, what this call changes is recorded.
  func recording(_ context: ServerContext) -> Recording {
    Recording(time: clock.now(), actor: context.caller?.name ?? "unknown")
  }
}

/// When and by whom a change is recorded.
struct Recording: Sendable {
  let time: Timestamp
  let actor: String
}

/// Numbers for the rows of the name index, each larger than all before, which the index writes fastest. They follow the clock,
/// so that a restart goes on behind the last one; should the clock have gone back, the insert fails and is tried again.
final class NameRowNumbers: Sendable {
  private let last = Mutex<Int64>(0)

  func next(at time: Timestamp) -> Int64 {
    last.withLock { last in
      last = max(last + 1, time.microsecondsSinceEpoch)
      return last
    }
  }
}

/// Most attempts of a write that other writers get in the way of.
let maximumAttempts = 8

/// Reads, decides and commits again when another writer was faster. `attempt` must do all three.
func retryingConflicts<Result>(_ attempt: () async throws -> Result) async throws -> Result {
  for _ in 1..<maximumAttempts {
    do { return try await attempt() } catch StorageError.conflict, StorageError.uniqueViolation { continue }
  }
  return try await attempt()
}

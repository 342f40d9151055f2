import Core
import ProductCopies
import Storage
import Synchronization
import UseCases

/// What every use case of the service stands on.
struct CustomerEnvironment: UseCaseEnvironment {
  let database: any Database
  let clock: any Clock
  let random: any RandomSource
  /// What is known here of the products that are sold.
  let products: ProductCopies
  let nameRows = NameRowNumbers()
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

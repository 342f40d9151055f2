import Core
import Storage

/// What every use case of a service stands on. A service whose use cases share more has a type of its own that adds it.
public protocol UseCaseEnvironment: Sendable {
  /// The service's own.
  var database: any Database { get }
  /// Its time.
  var clock: any Clock { get }
  /// Its randomness.
  var random: any RandomSource { get }
}

/// The environment of a service whose use cases share nothing more.
public struct Environment: UseCaseEnvironment {
  /// The service's own.
  public let database: any Database
  /// Its time.
  public let clock: any Clock
  /// Its randomness.
  public let random: any RandomSource

  /// An environment on a database that has been migrated.
  public init(database: any Database, clock: any Clock, random: any RandomSource) {
    self.database = database
    self.clock = clock
    self.random = random
  }
}

extension UseCaseEnvironment {
  /// A fresh id.
  public func identifier<Kind>(of kind: Identifier<Kind>.Type = Identifier<Kind>.self) -> Identifier<Kind> {
    Identifier<Kind>(clock: clock, random: random)
  }

  /// So many fresh ids in ascending order, so that rows written together lie in the order in which they came.
  public func identifiers<Kind>(_ count: Int, of kind: Identifier<Kind>.Type) -> [Identifier<Kind>] {
    Identifier<Kind>.ascending(count, clock: clock, random: random)
  }
}

/// Most attempts of a write that other writers get in the way of.
public let maximumAttempts = 8

/// Reads, decides and commits again when another writer was faster. `attempt` must do all three.
public func retryingConflicts<Result>(_ attempt: () async throws -> Result) async throws -> Result {
  for _ in 1..<maximumAttempts {
    do { return try await attempt() } catch StorageError.conflict, StorageError.uniqueViolation { continue }
  }
  return try await attempt()
}

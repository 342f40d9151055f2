import Jobs
import RPCCore

/// A service's jobs as its process has them: the RPCs and the loops, for its own kinds of work and for what every service does.
public struct ServiceJobs: Sendable {
  private let jobs: Jobs
  private let definitions: [JobDefinition]
  private let environment: Environment

  /// Jobs in the environment's database, of these kinds and housekeeping.
  public init(_ jobs: Jobs, _ definitions: [JobDefinition], environment: Environment) {
    self.jobs = jobs
    self.definitions = definitions + [.housekeeping(clock: environment.clock)]
    self.environment = environment
  }

  /// JobService.
  public var methodBindings: [MethodBinding] {
    JobServiceEndpoint(jobs, definitions, environment: environment).methodBindings
  }

  /// See `JobRunner.loops`.
  public func loops(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) -> [@Sendable () async throws -> Void] {
    JobRunner(jobs, definitions, sleep: sleep).loops(onError: onError)
  }
}

extension Jobs {
  /// The jobs in a service's database. `replica` is the process's stable name.
  public convenience init(_ environment: some UseCaseEnvironment, replica: String) {
    self.init(
      database: environment.database, clock: environment.clock, random: environment.random, holder: replica)
  }
}

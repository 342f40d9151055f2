import Core
import Storage

/// Runs a service's jobs: a loop for each kind, so that none waits for another kind's. Of each kind one at a time, whatever the
/// number of replicas: who works on it holds the kind's lease.
public struct JobRunner: Sendable {
  /// Pause between two looks for jobs that have become due, and for what another replica has changed.
  public static let tick = Duration.seconds(1)
  /// Pause before the second attempt; doubled with each further one.
  public static let firstPauseSeconds: Int64 = 2
  /// Longest pause between two attempts.
  public static let maximumPauseSeconds: Int64 = 300
  /// Pause after an error of the runner itself.
  static let retryInterval = Duration.seconds(1)

  /// What a step has done.
  public enum Step: Hashable, Sendable {
    /// No job of the kind is due.
    case idle
    /// Another replica works on the kind; or has taken over what was begun here.
    case heldByOther
    /// An attempt was made, which left the job in this state.
    case attempted(JobRecord.State)
  }

  private let jobs: Jobs
  private let definitions: [JobDefinition]
  private let sleep: @Sendable (Duration) async throws -> Void

  /// A runner of jobs of these kinds. `sleep` is the event loop's and must end early when cancelled.
  public init(
    _ jobs: Jobs, _ definitions: [JobDefinition], sleep: @escaping @Sendable (Duration) async throws -> Void
  ) {
    (self.jobs, self.definitions, self.sleep) = (jobs, definitions, sleep)
  }

  /// What must run beside the calls as long as the service does, each in a task of its own that is cancelled at the end. Errors
  /// of the runner itself go to `onError`; those of a job stand in its row.
  public func loops(onError: @escaping @Sendable (any Error) -> Void) -> [@Sendable () async throws -> Void] {
    let kinds = definitions.map { definition -> @Sendable () async throws -> Void in
      { try await run(definition, onError: onError) }
    }
    return kinds + [{ try await wake() }]
  }

  private func wake() async throws {
    while true {
      try await sleep(Self.tick)
      jobs.announce()
    }
  }

  private func run(_ definition: JobDefinition, onError: @Sendable (any Error) -> Void) async throws {
    while true {
      try Task.checkCancellation()
      let seen = jobs.due.count
      do {
        if case .attempted = try await step(definition) { continue }
      } catch {
        if Task.isCancelled { throw CancellationError() }
        onError(error)
        try await sleep(Self.retryInterval)
        continue
      }
      try await jobs.due.wait(after: seen)
    }
  }

  /// Makes one attempt at the kind's next job, if one is due and nobody else works on the kind.
  public func step(_ definition: JobDefinition) async throws -> Step {
    let now = jobs.clock.now()
    let lease = try await JobLease.read(definition.kind, jobs.database)
    let open = try await nextOpen(definition.kind)
    if let open, open.state == .waiting, open.dueTime > now { return .idle }
    guard open != nil || definition.interval != nil && lease.nextTime <= now else { return .idle }
    guard !lease.isHeld(exceptBy: jobs.holder, at: now) else { return .heldByOther }
    do {
      return .attempted(try await attempt(definition, open, lease: lease, at: now))
    } catch StorageError.conflict(JobLease.lost) {
      return .heldByOther
    }
  }

  /// What was begun comes before what waits.
  private func nextOpen(_ kind: String) async throws -> JobRecord? {
    try await jobs.database.row(
      Statement(
        "\(JobRecord.select) WHERE kind = ? AND state <= 2 ORDER BY state DESC, due_time, job_id LIMIT 1",
        [.text(kind)])
    ).map { try JobRecord(row: $0) }
  }

  private func attempt(
    _ definition: JobDefinition, _ open: JobRecord?, lease old: JobLease, at now: Timestamp
  ) async throws -> JobRecord.State {
    let isOwn = open == nil
    let found = open ?? jobs.creation(definition.kind, actor: jobs.holder).record
    var record = found
    (record.state, record.updateTime, record.startTime) = (.running, now, found.startTime ?? now)
    record.attempts += 1
    record.starts += 1
    let next = isOwn ? now.advanced(by: definition.interval) : old.nextTime
    let lease = old.taken(by: jobs.holder, at: now, nextTime: next)
    try await jobs.database.commit(
      Batch([lease.taking(from: old), isOwn ? record.insertion : record.update(from: found)]), lane: .bulk)
    jobs.changes.raise()
    let run = JobRun(record, lease: lease, jobs: jobs, sleep: sleep)
    var ended = await outcome(definition, record, run)
    guard ended.state != .running else {
      try Task.checkCancellation()
      throw StorageError.conflict(JobLease.lost)
    }
    ended.updateTime = jobs.clock.now()
    if ended.state != .waiting { ended.endTime = ended.updateTime }
    let undoing = ended.state == .cancelled ? try await definition.undo(run) : []
    try await jobs.database.commit(Batch([lease.release, ended.update(from: record)] + undoing), lane: .bulk)
    jobs.announce()
    return ended.state
  }

  /// The job as the attempt leaves it: still running if the process is about to stop, or another has taken it over.
  private func outcome(_ definition: JobDefinition, _ record: JobRecord, _ run: JobRun) async -> JobRecord {
    var ended = record
    do {
      if record.cancelRequested { throw JobCancelled() }
      // The process has died with it again and again.
      guard record.attempts <= definition.maximumAttempts else {
        throw JobFailure("the service ended \(definition.maximumAttempts) times while it worked on this")
      }
      ended.result = try await perform(definition, run)
      (ended.state, ended.error) = (.succeeded, "")
    } catch is JobCancelled {
      ended.state = .cancelled
    } catch StorageError.conflict(JobLease.lost) {
    } catch {
      if Task.isCancelled { return record }
      ended.error = String("\(error)".prefix(JobRecord.maximumErrorLength))
      // How far it got counts: what it saved has set the count back to one.
      ended.attempts = (try? await jobs.job(record.id))??.attempts ?? record.attempts
      let isFinal = error is JobFailure || ended.attempts >= definition.maximumAttempts
      ended.state = isFinal ? .failed : .waiting
      ended.dueTime = jobs.clock.now().advanced(by: .seconds(Self.pauseSeconds(after: ended.attempts)))
    }
    return ended
  }

  private func perform(_ definition: JobDefinition, _ run: JobRun) async throws -> EncodedMessage? {
    let sleep = sleep
    return try await withThrowingTaskGroup(of: EncodedMessage?.self) { group in
      group.addTask { try await definition.body(run) }
      group.addTask { try await run.watch(sleep: sleep) }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }

  /// 2, 4, 8 … seconds.
  static func pauseSeconds(after attempts: Int64) -> Int64 {
    var pause = firstPauseSeconds
    for _ in 1..<max(1, min(attempts, 16)) { pause = min(pause * 2, maximumPauseSeconds) }
    return pause
  }
}

extension Timestamp {
  fileprivate func advanced(by duration: Duration?) -> Timestamp {
    let parts = (duration ?? .zero).components
    return Timestamp(
      microsecondsSinceEpoch: microsecondsSinceEpoch + parts.seconds * 1_000_000
        + parts.attoseconds / 1_000_000_000_000)
  }
}

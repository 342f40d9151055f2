import API
import ArgumentParser
import Core
import RPCCore

/// A service that has events of its own, as commands name it.
enum EventServiceName: String, ExpressibleByArgument, CaseIterable, Sendable {
  case customer, agent, partner

  /// The same service among those with a database.
  var database: DatabaseServiceName {
    switch self {
    case .customer: .customer
    case .agent: .agent
    case .partner: .partner
    }
  }
}

extension EventsCommand {
  /// mainstay events snapshot.
  struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "snapshot", abstract: "Publishes a snapshot of a service's events as of now.",
      discussion: """
        The snapshot is the newest event of each aggregate. Nothing is removed by this: "events retention --apply" does that.

        Example:
          mainstay events snapshot customer
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent or partner.") var service: EventServiceName

    func run() throws {
      let service = service.database
      let state = try connection.withSession { session in
        try await EventLogCall.run(StartJobRequest(kind: "publish-snapshot"), of: service, session)
        return try await EventLogCall.state(of: service, session)
      }
      try output.show(state, columns: EventLogCall.columns, cells: EventLogCall.cells)
    }
  }

  /// mainstay events retention.
  struct RetentionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "retention", abstract: "Shows what a service keeps of its events, or removes what need not be kept.",
      discussion: """
        An event may go when a later one of the same aggregate has overtaken it and it is outside both --keep-days and
        --keep-events. The newest event of each aggregate always stays, so whoever reads from the beginning gets all facts. A follower
        that stands before what was removed is told to rebuild, and does.

        Without --apply nothing is changed. With it a snapshot is published first; without limits those of the service's
        configuration (events.keep_days, events.keep_events) count, by which it also does this once a day.

        Examples:
          mainstay events retention customer
          mainstay events retention customer --apply --keep-days 90
          mainstay events retention agent --apply --keep-events 1000000
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent or partner.") var service: EventServiceName
    @Flag(help: "Remove what need not be kept.") var apply = false
    @Option(help: "Keep events recorded in the last so many days.") var keepDays: Int64?
    @Option(help: "Keep the last so many events.") var keepEvents: Int64?

    func validate() throws {
      if !apply, keepDays != nil || keepEvents != nil {
        throw ValidationError("--keep-days and --keep-events need --apply")
      }
      if let keepDays, keepDays < 1 { throw ValidationError("--keep-days must be at least 1") }
      if let keepEvents, keepEvents < 1 { throw ValidationError("--keep-events must be at least 1") }
    }

    func run() throws {
      let (service, apply) = (service.database, apply)
      let rules = EventRetention(keepDays: keepDays ?? 0, keepEvents: keepEvents ?? 0)
      let parameters = try rules.serialized()
      let state = try connection.withSession { session in
        if apply {
          let any = GoogleAny(typeURL: "type.googleapis.com/\(EventRetention.fullName)", value: parameters)
          let job = try await EventLogCall.run(
            StartJobRequest(kind: "retain-events", parameters: any), of: service, session)
          StandardError.write("mainstay: \(TableText.printable(job.progress?.text ?? ""))\n")
        }
        return try await EventLogCall.state(of: service, session)
      }
      try output.show(state, columns: EventLogCall.columns, cells: EventLogCall.cells)
    }
  }
}

/// The calls that both commands make.
private enum EventLogCall {
  static let columns = [
    "last_position", "unnumbered", "removed_up_to", "snapshot_position", "snapshot_events", "keep_days", "keep_events",
  ]

  static let cells: @Sendable (EventLogState) -> [String] = {
    [
      "\($0.lastPosition)", "\($0.unnumbered)", "\($0.removedUpTo)", "\($0.snapshotPosition)", "\($0.snapshotEvents)",
      "\($0.retention?.keepDays ?? 0)", "\($0.retention?.keepEvents ?? 0)",
    ]
  }

  static func state(of service: DatabaseServiceName, _ session: Session) async throws -> EventLogState {
    try await EventLogServiceClient(channel: session.channel).getEventLog(
      GetEventLogRequest(), options: session.unaryOptions(service.metadata))
  }

  /// Does a job to its end; fails if it does.
  @discardableResult
  static func run(_ request: StartJobRequest, of service: DatabaseServiceName, _ session: Session) async throws -> Job {
    let job = try await JobServiceClient(channel: session.channel).startJob(
      request, options: session.unaryOptions(service.metadata))
    let ended = try await JobWatch.end(of: job, of: service, session)
    guard ended.state == .succeeded else {
      throw CommandFailure("the job \(ended.jobID) ended as \(JobsCommand.state(ended)): \(ended.error)")
    }
    return ended
  }
}

import API
import ArgumentParser
import Core
import RPCCore

/// mainstay jobs.
struct JobsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "Shows, starts and ends the long work of a service.",
    discussion: """
      SERVICE is customer, agent, partner or reporting.

      Examples:
        mainstay jobs list customer --open
        mainstay jobs start customer rebuild-name-index --wait
        mainstay jobs watch reporting job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
        mainstay jobs cancel customer job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
      """,
    subcommands: [
      ListCommand.self, ShowCommand.self, KindsCommand.self, StartCommand.self, WatchCommand.self, CancelCommand.self,
    ])

  static let columns = ["job_id", "kind", "state", "done", "total", "unit", "starts", "actor", "create_time", "error"]

  static let cells: @Sendable (Job) -> [String] = { job in
    let progress = job.progress ?? JobProgress()
    return [
      job.jobID, job.kind, state(job), "\(progress.done)", "\(progress.total)", progress.unit, "\(job.starts)",
      job.actor, job.createTime.map(time) ?? "", job.error,
    ]
  }

  static func state(_ job: Job) -> String { ReportWords.word(job.state.name, "JOB_STATE_") }

  private static func time(_ time: GoogleTimestamp) -> String {
    Timestamp(microsecondsSinceEpoch: time.seconds &* 1_000_000 &+ Int64(time.nanos) / 1_000).iso8601
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists a service's jobs, the newest first.",
      discussion: """
        Finished jobs are kept for 30 days.

        Examples:
          mainstay jobs list reporting
          mainstay jobs list customer --kind rebuild-name-index --limit 5
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName
    @Option(help: "Only jobs of this kind.") var kind: String?
    @Flag(help: "Only jobs that have not come to their end.") var open = false
    @Option(help: "At most so many; 0 for all.") var limit = 0

    func run() throws {
      let (service, kind, open) = (service, kind ?? "", open)
      try connection.list(output, columns: JobsCommand.columns, limit: limit, cells: JobsCommand.cells) {
        session, size, token in
        let reply = try await JobServiceClient(channel: session.channel).listJobs(
          ListJobsRequest(pageSize: size, pageToken: token, kind: kind, open: open),
          options: session.unaryOptions(service.metadata))
        return (reply.jobs, reply.nextPageToken)
      }
    }
  }

  struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Shows one job; with --format json all of it.",
      discussion: "Example:\n  mainstay jobs show customer job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName
    @Argument(help: "The job's id.") var job: String

    func run() throws {
      let (service, id) = (service, job)
      let job = try connection.withSession { session in
        try await JobServiceClient(channel: session.channel).getJob(
          GetJobRequest(jobID: id), options: session.unaryOptions(service.metadata))
      }
      try output.show(job, columns: JobsCommand.columns, cells: JobsCommand.cells)
    }
  }

  struct KindsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "kinds", abstract: "Lists the kinds of long work that a service knows.",
      discussion: "Example:\n  mainstay jobs kinds customer")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName

    func run() throws {
      let service = service
      try connection.list(output, columns: ["kind", "startable", "interval_seconds", "summary"], cells: Self.cells) {
        session, _, _ in
        let reply = try await JobServiceClient(channel: session.channel).listJobKinds(
          ListJobKindsRequest(), options: session.unaryOptions(service.metadata))
        return (reply.kinds, "")
      }
    }

    private static let cells: @Sendable (JobKind) -> [String] = {
      [$0.kind, "\($0.startable)", "\($0.intervalSeconds)", $0.summary]
    }
  }

  struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "cancel", abstract: "Asks for a job's end; one that runs ends within seconds.",
      discussion: "Example:\n  mainstay jobs cancel customer job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName
    @Argument(help: "The job's id.") var job: String

    func run() throws {
      let (service, id) = (service, job)
      let job = try connection.withSession { session in
        try await JobServiceClient(channel: session.channel).cancelJob(
          CancelJobRequest(jobID: id), options: session.unaryOptions(service.metadata))
      }
      try output.show(job, columns: JobsCommand.columns, cells: JobsCommand.cells)
    }
  }
}

/// A service with a database, as commands name it.
enum DatabaseServiceName: String, ExpressibleByArgument, CaseIterable, Sendable {
  case customer, agent, partner, reporting

  /// Tells the gateway which service is meant.
  var metadata: Metadata {
    var metadata = Metadata()
    metadata.add("mainstay-service", rawValue)
    return metadata
  }
}

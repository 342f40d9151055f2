import API
import ArgumentParser
import Core
import RPCCore

extension JobsCommand {
  /// mainstay jobs start.
  struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "start", abstract: "Puts a job in line; \"jobs kinds\" names what there is.",
      discussion: """
        Without --wait it returns at once. The exit code with --wait is 1 if the job fails or is cancelled. A job with parameters
        gets their defaults; "mainstay call" can give others.

        Examples:
          mainstay jobs start customer rebuild-name-index
          mainstay jobs start reporting rebuild-facts --wait
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName
    @Argument(help: "The kind of work.") var kind: String
    @Flag(help: "Show how far it is until it has come to its end.") var wait = false
    @Option(help: "Makes a repeated command begin nothing; drawn without it.") var requestID: String?

    func run() throws {
      let (service, kind, wait, requestID) = (service, kind, wait, requestID)
      let job = try connection.withSession { session in
        let client = JobServiceClient(channel: session.channel)
        let job = try await client.startJob(
          StartJobRequest(kind: kind, requestID: requestID ?? "cli-\(SystemRandom().next())"),
          options: session.unaryOptions(service.metadata))
        return wait ? try await JobWatch.end(of: job, of: service, session) : job
      }
      try JobWatch.show(job, output)
    }
  }

  /// mainstay jobs watch.
  struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "watch", abstract: "Shows how far a job is until it has come to its end.",
      discussion: """
        The exit code is 1 if the job fails or is cancelled. Ending the command does not end the job.

        Example:
          mainstay jobs watch customer job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "customer, agent, partner or reporting.") var service: DatabaseServiceName
    @Argument(help: "The job's id.") var job: String

    func run() throws {
      let (service, id) = (service, job)
      let job = try connection.withSession { session in
        try await JobWatch.end(of: Job(jobID: id), of: service, session)
      }
      try JobWatch.show(job, output)
    }
  }
}

/// Follows a job to its end.
enum JobWatch {
  /// The job at its end. Shows how far it is meanwhile, if somebody looks.
  static func end(of job: Job, of service: DatabaseServiceName, _ session: Session) async throws -> Job {
    let isShown = Terminal.current().showsProgress
    let clock = session.loop.clock
    let started = clock.monotonicNanoseconds()
    var first: Int64?
    var last = job
    defer { if isShown { StandardError.write("\r\u{1B}[K") } }
    let states = try await JobServiceClient(channel: session.channel).watchJob(
      WatchJobRequest(jobID: job.jobID), options: session.streamOptions(service.metadata))
    while let state = try await states.next() {
      last = state
      guard isShown else { continue }
      first = first ?? state.progress?.done ?? 0
      let seconds = Double(clock.monotonicNanoseconds() - started) / 1e9
      StandardError.write("\r" + line(state, since: first ?? 0, seconds: seconds) + "\u{1B}[K")
    }
    return last
  }

  /// Prints the job; throws exit code 1 if it did not succeed.
  static func show(_ job: Job, _ output: OutputOptions) throws {
    try output.show(job, columns: JobsCommand.columns, cells: JobsCommand.cells)
    if job.state == .failed || job.state == .cancelled { throw ExitCode(1) }
  }

  /// For example "[######--------------]  30 %  300,000 of 1,000,000 parties  25,000/s  0:28 left". `first` was done as the looking
  /// began.
  static func line(_ job: Job, since first: Int64, seconds: Double) -> String {
    let progress = job.progress ?? JobProgress()
    let rate = seconds > 0 ? Int(Double(progress.done - first) / seconds) : 0
    let text = progress.text.isEmpty ? "" : "  \(TableText.printable(progress.text))"
    let count = grouped(Int(progress.done))
    guard progress.total > 0 else {
      return "\(JobsCommand.state(job))  \(count) \(progress.unit)  \(grouped(rate))/s\(text)"
    }
    let share = min(1, Double(progress.done) / Double(progress.total))
    let left = rate > 0 ? max(0, Int(progress.total - progress.done)) / rate : 0
    return """
      \(ProgressBar.text(share))  \(count) of \(grouped(Int(progress.total))) \(progress.unit)  \
      \(grouped(rate))/s  \(left / 60):\(decimal(left % 60, digits: 2)) left\(text)
      """
  }
}

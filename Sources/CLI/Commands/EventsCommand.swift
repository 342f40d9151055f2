import API
import ArgumentParser
import Core
import RPCCore

/// mainstay events.
struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Shows what happens in a service, and what is kept of it.",
    discussion: """
      Examples:
        mainstay events tail --service customer
        mainstay events replay --service agent --format json
        mainstay events snapshot customer
        mainstay events retention customer
        mainstay events webhooks list customer
      """,
    subcommands: [
      TailCommand.self, ReplayCommand.self, SnapshotCommand.self, RetentionCommand.self, WebhooksCommand.self,
      SourcesCommand.self,
    ])

  struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "tail", abstract: "Prints events in order, then new ones as they happen.",
      discussion: """
        JSON is printed as one object per line. With --until-caught-up it ends when all events that are there were printed, and
        the token to go on with stands on standard error.

        Examples:
          mainstay events tail
          mainstay events tail --types mainstay.customer.v1.PartyChanged --format json
          mainstay events tail --until-caught-up --from TOKEN
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Whose events.") var service = ServiceDefinition.customer.name
    @Option(help: "A token from an earlier time; the oldest event that is kept without it.") var from: String?
    @Option(help: "Only these types: full names of messages.") var types: [String] = []
    @Flag(help: "End when all events that are there were printed.") var untilCaughtUp = false

    func run() throws {
      let request = SubscribeRequest(resumeToken: from ?? "", types: types, untilCaughtUp: untilCaughtUp)
      try EventsCommand.printAll(request, service: service, connection, output)
    }
  }

  struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "replay",
      abstract: "Prints all events from the beginning, as who rebuilds from them gets them, and ends.",
      discussion: """
        Where events have been removed it begins with the snapshot: the newest event of each aggregate.

        Example:
          mainstay events replay --service partner --format json
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Whose events.") var service = ServiceDefinition.customer.name
    @Option(help: "Only these types: full names of messages.") var types: [String] = []

    func run() throws {
      try EventsCommand.printAll(
        SubscribeRequest(types: types, untilCaughtUp: true), service: service, connection, output)
    }
  }

  /// Prints what a subscription gives, and in the end the token to go on with.
  static func printAll(
    _ request: SubscribeRequest, service: String, _ connection: ConnectionOptions, _ output: OutputOptions
  ) throws {
    let format = output.resolved(Terminal.current())
    var metadata = Metadata()
    metadata.add("mainstay-service", service)
    let sent = metadata
    let token = try connection.withSession { session in
      let printer = EventPrinter(format: format)
      let client = EventServiceClient(channel: session.channel)
      let replies = try await client.subscribe(request, options: session.streamOptions(sent))
      var token = request.resumeToken
      while let reply = try await replies.next() {
        for event in reply.events { try printer.print(event) }
        printer.flush()
        token = reply.resumeToken
      }
      return token
    }
    StandardError.write("mainstay: go on with --from \(token)\n")
  }
}

/// Prints events one by one: a person who watches does not want to wait for a table's widths.
private final class EventPrinter {
  private let format: OutputFormat
  private let output = StandardOutput()

  init(format: OutputFormat) {
    self.format = format
    let columns = ["recorded_time", "type", "aggregate_id", "aggregate_version", "actor", "payload"]
    if format == .csv { output.write(CSV.line(columns)) }
  }

  func print(_ event: Event) throws {
    if format == .json { return output.write(try MessageJSON.text(event) + "\n") }
    let time = event.recordedTime.map {
      Timestamp(microsecondsSinceEpoch: $0.seconds &* 1_000_000 &+ Int64($0.nanos) / 1_000).iso8601
    }
    let payload = try event.payload.map { try MessageJSON.text($0) } ?? ""
    let cells = [time ?? "", event.type, event.aggregateID, "\(event.aggregateVersion)", event.actor, payload]
    output.write(
      format == .csv ? CSV.line(cells) : cells.map(TableText.printable).joined(separator: "  ") + "\n")
  }

  func flush() { output.flush() }
}

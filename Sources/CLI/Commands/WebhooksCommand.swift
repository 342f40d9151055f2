import API
import ArgumentParser
import Core
import RPCCore

extension EventsCommand {
  /// mainstay events webhooks.
  struct WebhooksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "webhooks", abstract: "Sends a service's events to systems outside.",
      discussion: """
        docs/runbooks/webhooks.md tells what an endpoint must do.

        Examples:
          mainstay events webhooks create customer https://example.com/hooks --types mainstay.customer.v1.PartyChanged
          mainstay events webhooks list customer
          mainstay events webhooks dead-letters customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
          mainstay events webhooks replay customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
        """,
      subcommands: [
        CreateCommand.self, ListCommand.self, ChangeCommand.Pause.self, ChangeCommand.Resume.self, RotateCommand.self,
        DeleteCommand.self, DeadLettersCommand.self, ReplayLettersCommand.self,
      ])

    static let columns = [
      "webhook_id", "state", "url", "types", "position", "failures", "dead_letters", "last_error",
    ]
    static let cells: @Sendable (Webhook) -> [String] = {
      [
        $0.webhookID, ReportWords.word($0.state.name, "WEBHOOK_STATE_"), $0.url, $0.types.joined(separator: " "),
        "\($0.position)", "\($0.failures)", "\($0.deadLetters)", $0.lastError,
      ]
    }

    /// What all of them have.
    struct Options: ParsableArguments {
      @OptionGroup var connection: ConnectionOptions
      @OptionGroup var output: OutputOptions
      @Argument(help: "customer, agent or partner.") var service: EventServiceName

      /// Calls the service's WebhookService.
      func call<Value: Sendable>(
        _ body: @escaping @Sendable (WebhookServiceClient, CallOptions) async throws -> Value
      ) throws -> Value {
        try withChannel { try await body(WebhookServiceClient(channel: $0), $1) }
      }

      /// A channel, and the options of a call to the service.
      func withChannel<Value: Sendable>(
        _ body: @escaping @Sendable (any RPCCore.Channel, CallOptions) async throws -> Value
      ) throws -> Value {
        let metadata = service.database.metadata
        return try connection.withSession { session in
          try await body(session.channel, session.unaryOptions(metadata))
        }
      }
    }

    struct CreateCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a webhook and prints its secret, which is never shown again.",
        discussion: """
          The secret stands alone on standard output, for a file or a password store.

          Example:
            mainstay events webhooks create customer https://example.com/hooks > secret
          """)

      @OptionGroup var options: Options
      @Argument(help: "https://…; plain http only for hosts of webhooks.allowed_hosts.") var url: String
      @Option(parsing: .upToNextOption, help: "Only these types: full names of messages.") var types: [String] = []
      @Flag(help: "Send all that has happened, not only what happens from now on.") var fromBeginning = false

      func run() throws {
        let request = CreateWebhookRequest(
          url: url, types: types, fromBeginning: fromBeginning, requestID: "cli-\(SystemRandom().next())")
        let reply = try options.call { try await $0.createWebhook(request, options: $1) }
        StandardError.write("mainstay: made \(reply.webhook?.webhookID ?? "")\n")
        printLine(reply.secret)
      }
    }

    struct ListCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists a service's webhooks.",
        discussion: "Example:\n  mainstay events webhooks list customer")

      @OptionGroup var options: Options

      func run() throws {
        let metadata = options.service.database.metadata
        try options.connection.list(options.output, columns: WebhooksCommand.columns, cells: WebhooksCommand.cells) {
          session, _, _ in
          let reply = try await WebhookServiceClient(channel: session.channel).listWebhooks(
            ListWebhooksRequest(), options: session.unaryOptions(metadata))
          return (reply.webhooks, "")
        }
      }
    }

    struct RotateCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Makes a new secret and prints it; for 24 hours posts are signed with both.",
        discussion: "Example:\n  mainstay events webhooks rotate customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD > secret")

      @OptionGroup var options: Options
      @Argument(help: "The webhook's id.") var webhook: String

      func run() throws {
        let request = RotateWebhookSecretRequest(webhookID: webhook)
        printLine(try options.call { try await $0.rotateWebhookSecret(request, options: $1) }.secret)
      }
    }

    struct DeleteCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a webhook and its dead letters.",
        discussion: "Example:\n  mainstay events webhooks delete customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

      @OptionGroup var options: Options
      @Argument(help: "The webhook's id.") var webhook: String

      func run() throws {
        let request = DeleteWebhookRequest(webhookID: webhook)
        _ = try options.call { try await $0.deleteWebhook(request, options: $1) }
      }
    }
  }
}

extension EventsCommand.WebhooksCommand {
  /// mainstay events webhooks pause and resume.
  enum ChangeCommand {
    struct Pause: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Sends nothing until it is resumed; then it goes on where it stands.",
        discussion: "Example:\n  mainstay events webhooks pause customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

      @OptionGroup var options: Options
      @Argument(help: "The webhook's id.") var webhook: String

      func run() throws {
        let request = PauseWebhookRequest(webhookID: webhook)
        let changed = try options.call { try await $0.pauseWebhook(request, options: $1) }
        try options.output.show(changed, columns: columns, cells: cells)
      }
    }

    struct Resume: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Sends again, and makes the next attempt at once.",
        discussion: "Example:\n  mainstay events webhooks resume customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

      @OptionGroup var options: Options
      @Argument(help: "The webhook's id.") var webhook: String

      func run() throws {
        let request = ResumeWebhookRequest(webhookID: webhook)
        let changed = try options.call { try await $0.resumeWebhook(request, options: $1) }
        try options.output.show(changed, columns: columns, cells: cells)
      }
    }
  }

  struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "dead-letters", abstract: "Lists events that an endpoint did not take.",
      discussion: "Example:\n  mainstay events webhooks dead-letters customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

    @OptionGroup var options: Options
    @Argument(help: "The webhook's id.") var webhook: String

    func run() throws {
      let (metadata, webhook) = (options.service.database.metadata, webhook)
      let columns = ["event_id", "position", "type", "aggregate_id", "attempts", "replaying", "error"]
      try options.connection.list(options.output, columns: columns, cells: Self.letterCells) { session, size, token in
        let reply = try await WebhookServiceClient(channel: session.channel).listDeadLetters(
          ListDeadLettersRequest(webhookID: webhook, pageSize: size, pageToken: token),
          options: session.unaryOptions(metadata))
        return (reply.deadLetters, reply.nextPageToken)
      }
    }

    private static let letterCells: @Sendable (DeadLetter) -> [String] = {
      [
        $0.event?.eventID ?? "", "\($0.position)", $0.event?.type ?? "", $0.event?.aggregateID ?? "", "\($0.attempts)",
        "\($0.replaying)", $0.error,
      ]
    }
  }

  struct ReplayLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "replay", abstract: "Sends dead letters again, once each; those that are taken disappear.",
      discussion: """
        Without event ids all of them.

        Example:
          mainstay events webhooks replay customer whk_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
        """)

    @OptionGroup var options: Options
    @Argument(help: "The webhook's id.") var webhook: String
    @Argument(help: "Only these events.") var events: [String] = []

    func run() throws {
      let request = ReplayDeadLettersRequest(webhookID: webhook, eventIDs: events)
      let reply = try options.call { try await $0.replayDeadLetters(request, options: $1) }
      printLine("\(reply.replayed)")
    }
  }
}

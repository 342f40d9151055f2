import API
import ArgumentParser
import Core
import RPCCore

extension EventsCommand {
  /// mainstay events sources.
  struct SourcesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sources", abstract: "Systems outside that post to a service.",
      discussion: """
        Each posts to https://GATEWAY/webhooks/SERVICE/SOURCE_ID; docs/runbooks/webhooks.md tells what a post must be.

        Examples:
          mainstay events sources create agent east-bank activities > secret
          mainstay events sources list agent
          mainstay events sources unapplied agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
          mainstay events sources apply agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
        """,
      subcommands: [
        CreateCommand.self, ListCommand.self, RotateCommand.self, DeleteCommand.self, UnappliedCommand.self,
        ApplyCommand.self,
      ])

    /// What all of them have, as the commands for webhooks out.
    typealias Options = WebhooksCommand.Options

    struct CreateCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a source and prints its secret, which is never shown again.",
        discussion: """
          The secret stands alone on standard output, for a file or a password store.

          Example:
            mainstay events sources create agent east-bank activities > secret
          """)

      @OptionGroup var options: Options
      @Argument(help: "Its name: lower case letters, digits and -.") var name: String
      @Argument(help: "What it posts: activities (agent), parties (customer).") var kind: String

      func run() throws {
        let request = CreateWebhookSourceRequest(name: name, kind: kind, requestID: "cli-\(SystemRandom().next())")
        let reply = try options.callSources { try await $0.createWebhookSource(request, options: $1) }
        let id = reply.source?.sourceID ?? ""
        StandardError.write("mainstay: made \(id), which posts to /webhooks/\(options.service.rawValue)/\(id)\n")
        printLine(reply.secret)
      }
    }

    struct ListCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists a service's sources.",
        discussion: "Example:\n  mainstay events sources list agent")

      @OptionGroup var options: Options

      func run() throws {
        let metadata = options.service.database.metadata
        try options.connection.list(
          options.output, columns: ["source_id", "name", "kind", "unapplied_posts"],
          cells: { [$0.sourceID, $0.name, $0.kind, "\($0.unappliedPosts)"] }
        ) { (session, _, _) -> ([WebhookSource], String) in
          let reply = try await WebhookSourceServiceClient(channel: session.channel).listWebhookSources(
            ListWebhookSourcesRequest(), options: session.unaryOptions(metadata))
          return (reply.sources, "")
        }
      }
    }

    struct RotateCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Makes a new secret and prints it; for 24 hours either signs.",
        discussion: "Example:\n  mainstay events sources rotate agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD > secret")

      @OptionGroup var options: Options
      @Argument(help: "The source's id.") var source: String

      func run() throws {
        let request = RotateWebhookSourceSecretRequest(sourceID: source)
        printLine(try options.callSources { try await $0.rotateWebhookSourceSecret(request, options: $1) }.secret)
      }
    }

    struct DeleteCommand: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a source and its posts that could not be applied.",
        discussion: "Example:\n  mainstay events sources delete agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD")

      @OptionGroup var options: Options
      @Argument(help: "The source's id.") var source: String

      func run() throws {
        let request = DeleteWebhookSourceRequest(sourceID: source)
        _ = try options.callSources { try await $0.deleteWebhookSource(request, options: $1) }
      }
    }
  }
}

extension EventsCommand.SourcesCommand {
  struct UnappliedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "unapplied", abstract: "Lists posts that were taken and could not be applied, and why.",
      discussion: "Example:\n  mainstay events sources unapplied agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD --format json")

    @OptionGroup var options: Options
    @Argument(help: "The source's id.") var source: String

    func run() throws {
      let (metadata, source) = (options.service.database.metadata, source)
      try options.connection.list(
        options.output, columns: ["webhook_id", "attempts", "bytes", "error"],
        cells: { [$0.webhookID, "\($0.attempts)", "\($0.body.count)", $0.error] }
      ) { (session, size, token) -> ([UnappliedPost], String) in
        let reply = try await WebhookSourceServiceClient(channel: session.channel).listUnappliedPosts(
          ListUnappliedPostsRequest(sourceID: source, pageSize: size, pageToken: token),
          options: session.unaryOptions(metadata))
        return (reply.posts, reply.nextPageToken)
      }
    }
  }

  struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "apply", abstract: "Tries posts that could not be applied once more; those that can be disappear.",
      discussion: """
        Without ids all of them. Exit code 1 if one could not be applied.

        Examples:
          mainstay events sources apply agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD
          mainstay events sources apply agent whs_01J9ZQ3M5V8XK2T4R6W7Y0ABCD msg_1 --discard
        """)

    @OptionGroup var options: Options
    @Argument(help: "The source's id.") var source: String
    @Argument(help: "Only these posts.") var posts: [String] = []
    @Flag(help: "Drop them in place of applying them.") var discard = false

    func validate() throws {
      if discard, posts.isEmpty { throw ValidationError("--discard needs the ids of the posts to be dropped") }
    }

    func run() throws {
      let request = ApplyUnappliedPostsRequest(sourceID: source, webhookIDs: posts, discard: discard)
      let reply = try options.callSources { try await $0.applyUnappliedPosts(request, options: $1) }
      printLine("\(reply.done) \(discard ? "dropped" : "applied"), \(reply.refused) left")
      if reply.refused > 0 { throw ExitCode(1) }
    }
  }
}

extension EventsCommand.WebhooksCommand.Options {
  /// Calls the service's WebhookSourceService.
  fileprivate func callSources<Value: Sendable>(
    _ body: @escaping @Sendable (WebhookSourceServiceClient, CallOptions) async throws -> Value
  ) throws -> Value {
    try withChannel { try await body(WebhookSourceServiceClient(channel: $0), $1) }
  }
}

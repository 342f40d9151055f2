import API
import ArgumentParser
import Core
import RPCCore

/// mainstay channels.
struct ChannelsCommand: ParsableCommand {
  /// Most connections that are asked about one by one.
  static let maximumConnections = 1_000

  static let configuration = CommandConfiguration(
    commandName: "channels",
    abstract: "Shows who is connected to a process and whom it calls: streams, messages, bytes, the last error.",
    discussion: """
      A "client" is connected to the process; a "channel" leads from it to another one. The figures count from the start of the
      connection, those of a channel from the start of the process. Streams of a gateway are calls whose messages it does not see.

      Examples:
        mainstay channels
        mainstay channels --service customer
        mainstay channels --format csv
      """)

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Option(help: "The service that is asked, for example customer; the gateway without it.") var service: String?

  func run() throws {
    let terminal = Terminal.current()
    let format = output.resolved(terminal)
    var metadata = Metadata()
    if let service { metadata.add("mainstay-service", service) }
    let extra = metadata
    let isComplete = try connection.withSession { session in
      let listing = Listing(
        [
          "kind", "id", "peer", "name", "state", "streams", "failed", "open", "messages_sent", "messages_received",
          "bytes_sent", "bytes_received", "last_call", "last_error",
        ], format: format, terminal: terminal, output: StandardOutput())
      let client = ChannelzChannelzClient(channel: session.channel)
      try await Self.channels(client, session, extra) { listing.add($0) }
      let isComplete = try await Self.clients(client, session, extra) { listing.add($0) }
      listing.finish()
      return isComplete
    }
    if !isComplete { StandardError.write("mainstay: there are more than \(Self.maximumConnections) connections\n") }
  }

  private static func channels(
    _ client: ChannelzChannelzClient, _ session: Session, _ metadata: Metadata, _ take: ([String]) -> Void
  ) async throws {
    var request = ChannelzGetTopChannelsRequest()
    while true {
      let reply = try await client.getTopChannels(request, options: session.unaryOptions(metadata))
      for channel in reply.channel {
        guard let ref = channel.ref, let data = channel.data else { continue }
        take([
          "channel", "\(ref.channelID)", ref.name, "", data.state?.state.name ?? "", "\(data.callsStarted)",
          "\(data.callsFailed)", "", "", "", "", "", time(data.lastCallStartedTimestamp),
          data.trace?.events.last?.description ?? "",
        ])
      }
      guard let last = reply.channel.last?.ref?.channelID, !reply.end else { return }
      request.startChannelID = last + 1
    }
  }

  /// False if there are more than are asked about.
  private static func clients(
    _ client: ChannelzChannelzClient, _ session: Session, _ metadata: Metadata, _ take: ([String]) -> Void
  ) async throws -> Bool {
    var asked = 0
    let servers = try await client.getServers(ChannelzGetServersRequest(), options: session.unaryOptions(metadata))
    for server in servers.server {
      var request = ChannelzGetServerSocketsRequest(serverID: server.ref?.serverID ?? 0)
      while true {
        let reply = try await client.getServerSockets(request, options: session.unaryOptions(metadata))
        for ref in reply.socketRef {
          guard asked < maximumConnections else { return false }
          asked += 1
          if let row = try await row(ref.socketID, client, session.unaryOptions(metadata)) { take(row) }
        }
        guard let last = reply.socketRef.last?.socketID, !reply.end else { break }
        request.startSocketID = last + 1
      }
    }
    return true
  }

  /// Nil for a connection that has ended meanwhile.
  private static func row(
    _ identifier: Int64, _ client: ChannelzChannelzClient, _ options: CallOptions
  ) async throws -> [String]? {
    do {
      let reply = try await client.getSocket(ChannelzGetSocketRequest(socketID: identifier), options: options)
      guard let socket = reply.socket, let data = socket.data else { return nil }
      func option(_ name: String) -> String { data.option.first { $0.name == name }?.value ?? "" }
      return [
        "client", "\(identifier)", socket.ref?.name ?? "", socket.remoteName, "", "\(data.streamsStarted)",
        "\(data.streamsFailed)", option("streams_open"), "\(data.messagesSent)", "\(data.messagesReceived)",
        option("bytes_sent"), option("bytes_received"), time(data.lastRemoteStreamCreatedTimestamp), "",
      ]
    } catch {
      guard RPCError(converting: error).code == .notFound else { throw error }
      return nil
    }
  }

  private static func time(_ timestamp: GoogleTimestamp?) -> String {
    // What no calendar shows was not a time.
    guard let timestamp, (0..<253_402_300_800).contains(timestamp.seconds) else { return "" }
    return Timestamp(microsecondsSinceEpoch: timestamp.seconds * 1_000_000 + Int64(timestamp.nanos) / 1_000).iso8601
  }
}

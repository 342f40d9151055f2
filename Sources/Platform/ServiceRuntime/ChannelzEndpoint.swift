import API
import Core
import RPCCore
import RPCTransport

/// grpc.channelz.v1: who is connected, and how it goes. Nothing is kept for it: each question asks the event loops anew.
struct ChannelzEndpoint: ChannelzChannelzHandler {
  /// Most entries of one reply.
  static let maximumResults = 500
  private static let defaultResults = 100

  let group: EventLoopGroup

  func getTopChannels(
    _ request: ChannelzGetTopChannelsRequest, _ context: ServerContext
  ) async throws -> ChannelzGetTopChannelsResponse {
    let times = times()
    let (page, end) = page(
      try await group.channelFacts(), from: request.startChannelID, request.maxResults, by: \.identifier)
    return ChannelzGetTopChannelsResponse(channel: page.map { ChannelzChannel($0, times) }, end: end)
  }

  func getServers(
    _ request: ChannelzGetServersRequest, _ context: ServerContext
  ) async throws -> ChannelzGetServersResponse {
    let times = times()
    let (page, end) = page(
      try await group.serverFacts(), from: request.startServerID, request.maxResults, by: \.identifier)
    return ChannelzGetServersResponse(server: page.map { ChannelzServer($0, times) }, end: end)
  }

  func getServer(
    _ request: ChannelzGetServerRequest, _ context: ServerContext
  ) async throws -> ChannelzGetServerResponse {
    ChannelzGetServerResponse(server: ChannelzServer(try await server(request.serverID), times()))
  }

  func getServerSockets(
    _ request: ChannelzGetServerSocketsRequest, _ context: ServerContext
  ) async throws -> ChannelzGetServerSocketsResponse {
    let (page, end) = page(
      try await server(request.serverID).sockets, from: request.startSocketID, request.maxResults, by: \.identifier)
    return ChannelzGetServerSocketsResponse(socketRef: page.map { ChannelzSocketRef($0) }, end: end)
  }

  func getChannel(
    _ request: ChannelzGetChannelRequest, _ context: ServerContext
  ) async throws -> ChannelzGetChannelResponse {
    let found = try await group.channelFacts().first { $0.identifier == request.channelID }
    guard let found else { throw RPCError(.notFound, "no channel \(request.channelID); GetTopChannels lists them") }
    return ChannelzGetChannelResponse(channel: ChannelzChannel(found, times()))
  }

  func getSubchannel(
    _ request: ChannelzGetSubchannelRequest, _ context: ServerContext
  ) async throws -> ChannelzGetSubchannelResponse {
    let found = try await group.channelFacts().flatMap(\.subchannels).first { $0.identifier == request.subchannelID }
    guard let found else {
      throw RPCError(.notFound, "no subchannel \(request.subchannelID); GetChannel lists a channel's")
    }
    return ChannelzGetSubchannelResponse(subchannel: ChannelzSubchannel(found, times()))
  }

  func getSocket(
    _ request: ChannelzGetSocketRequest, _ context: ServerContext
  ) async throws -> ChannelzGetSocketResponse {
    for server in try await group.serverFacts() {
      if let found = server.sockets.first(where: { $0.identifier == request.socketID }) {
        return ChannelzGetSocketResponse(socket: ChannelzSocket(found, isServer: true, times()))
      }
    }
    let own = try await group.channelFacts().flatMap(\.subchannels).compactMap(\.socket)
    guard let found = own.first(where: { $0.identifier == request.socketID }) else {
      throw RPCError(.notFound, "no connection \(request.socketID): it may have ended")
    }
    return ChannelzGetSocketResponse(socket: ChannelzSocket(found, isServer: false, times()))
  }

  private func server(_ identifier: Int64) async throws -> ServerFacts {
    guard let found = try await group.serverFacts().first(where: { $0.identifier == identifier }) else {
      throw RPCError(.notFound, "no server \(identifier); GetServers lists them")
    }
    return found
  }

  private func page<Facts>(
    _ all: [Facts], from start: Int64, _ wanted: Int64, by identifier: (Facts) -> Int64
  ) -> (page: [Facts], end: Bool) {
    let rest = all.filter { identifier($0) >= start }
    let count = wanted > 0 ? min(Int(clamping: wanted), Self.maximumResults) : Self.defaultResults
    return (Array(rest.prefix(count)), rest.count <= count)
  }

  private func times() -> ChannelTimes {
    let clock = group.first.clock
    return ChannelTimes(now: clock.now(), monotonic: clock.monotonicNanoseconds())
  }
}

/// Turns the loops' monotonic times into those of the calendar.
struct ChannelTimes {
  let now: Timestamp
  let monotonic: UInt64

  /// Nil for 0, which stands for never.
  func timestamp(_ nanoseconds: UInt64) -> GoogleTimestamp? {
    guard nanoseconds > 0 else { return nil }
    let ago = monotonic > nanoseconds ? Int64(clamping: (monotonic - nanoseconds) / 1_000) : 0
    let microseconds = now.microsecondsSinceEpoch - ago
    return GoogleTimestamp(seconds: microseconds / 1_000_000, nanos: Int32(microseconds % 1_000_000) * 1_000)
  }
}

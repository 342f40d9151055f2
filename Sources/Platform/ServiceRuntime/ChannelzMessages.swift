import API
import RPCTransport

extension ChannelzChannel {
  init(_ facts: ChannelFacts, _ times: ChannelTimes) {
    let failed = facts.subchannels.filter { $0.lastError != nil }
      .max { $0.lastErrorNanoseconds < $1.lastErrorNanoseconds }
    self.init(
      ref: ChannelzChannelRef(channelID: facts.identifier, name: facts.target),
      data: ChannelzChannelData(
        facts.state, facts.target, facts.statistics, error: failed?.lastError,
        errorNanoseconds: failed?.lastErrorNanoseconds ?? 0, times),
      subchannelRef: facts.subchannels.map {
        ChannelzSubchannelRef(subchannelID: $0.identifier, name: $0.target)
      })
  }
}

extension ChannelzSubchannel {
  init(_ facts: SubchannelFacts, _ times: ChannelTimes) {
    self.init(
      ref: ChannelzSubchannelRef(subchannelID: facts.identifier, name: facts.target),
      data: ChannelzChannelData(
        facts.state, facts.target, facts.statistics, error: facts.lastError,
        errorNanoseconds: facts.lastErrorNanoseconds, times),
      socketRef: facts.socket.map { [ChannelzSocketRef($0)] } ?? [])
  }
}

extension ChannelzChannelData {
  init(
    _ state: ConnectivityState, _ target: String, _ statistics: ConnectionStatistics, error: String?,
    errorNanoseconds: UInt64, _ times: ChannelTimes
  ) {
    self.init()
    self.state = ChannelzChannelConnectivityState(state: .init(state))
    self.target = target
    callsStarted = Int64(statistics.streamsStarted)
    callsSucceeded = Int64(statistics.streamsSucceeded)
    callsFailed = Int64(statistics.streamsFailed)
    lastCallStartedTimestamp = times.timestamp(statistics.lastStreamNanoseconds)
    guard let error else { return }
    let event = ChannelzChannelTraceEvent(
      description: error, severity: .ctWarning, timestamp: times.timestamp(errorNanoseconds))
    trace = ChannelzChannelTrace(numEventsLogged: 1, events: [event])
  }
}

extension ChannelzChannelConnectivityState.State {
  init(_ state: ConnectivityState) {
    switch state {
    case .idle: self = .idle
    case .connecting: self = .connecting
    case .ready: self = .ready
    case .transientFailure: self = .transientFailure
    case .shutdown: self = .shutdown
    }
  }
}

extension ChannelzServer {
  init(_ facts: ServerFacts, _ times: ChannelTimes) {
    self.init(
      ref: ChannelzServerRef(serverID: facts.identifier, name: facts.name),
      data: ChannelzServerData(
        callsStarted: Int64(facts.statistics.streamsStarted), callsSucceeded: Int64(facts.statistics.streamsSucceeded),
        callsFailed: Int64(facts.statistics.streamsFailed),
        lastCallStartedTimestamp: times.timestamp(facts.statistics.lastStreamNanoseconds)))
  }
}

extension ChannelzSocketRef {
  init(_ facts: SocketFacts) {
    self.init(socketID: facts.identifier, name: facts.remote?.description ?? "")
  }
}

extension ChannelzSocket {
  init(_ facts: SocketFacts, isServer: Bool, _ times: ChannelTimes) {
    let statistics = facts.statistics
    let last = times.timestamp(statistics.lastStreamNanoseconds)
    self.init(
      ref: ChannelzSocketRef(facts),
      data: ChannelzSocketData(
        streamsStarted: Int64(statistics.streamsStarted), streamsSucceeded: Int64(statistics.streamsSucceeded),
        streamsFailed: Int64(statistics.streamsFailed), messagesSent: Int64(statistics.messagesSent),
        messagesReceived: Int64(statistics.messagesReceived), lastLocalStreamCreatedTimestamp: isServer ? nil : last,
        lastRemoteStreamCreatedTimestamp: isServer ? last : nil,
        option: [
          ChannelzSocketOption(name: "bytes_sent", value: "\(statistics.bytesSent)"),
          ChannelzSocketOption(name: "bytes_received", value: "\(statistics.bytesReceived)"),
          ChannelzSocketOption(name: "streams_open", value: "\(facts.openStreams)"),
        ]),
      local: facts.local.map { ChannelzAddress($0) }, remote: facts.remote.map { ChannelzAddress($0) },
      remoteName: facts.peerName)
  }
}

extension ChannelzAddress {
  init(_ facts: AddressFacts) {
    self.init(address: .tcpipAddress(TcpIpAddress(ipAddress: facts.bytes, port: Int32(clamping: facts.port))))
  }
}

import COpenSSL
import Core
import Glibc
import RPCCore

/// What answers the streams of a server: gRPC, or the gateway.
public protocol StreamAcceptor: Sendable {
  /// Answers a stream, on the loop of its connection; nil refuses it.
  func accept(_ stream: HTTP2Stream, peer: Peer, loop: EventLoop) -> (any HTTP2StreamHandler)?
}

/// Listens on one address with TLS and HTTP/2, and shares its connections out among the event loops.
public final class Server: Sendable {
  /// How a server listens.
  public struct Configuration: Sendable {
    /// IP address or name to listen on.
    public var host: String
    /// 0 takes a free port.
    public var port: Int
    /// Certificates.
    public var tls: TLSConfiguration
    /// Limits of each connection.
    public var limits: HTTP2Limits
    /// How long its connections may live, be silent or make us wait.
    public var connectionLimits: ConnectionLimits
    /// Bytes that its connections may hold, together with whatever else has this budget.
    public var budget = ByteBudget.process
    /// Connections at once; more are closed as they come.
    public var maximumConnections: Int
    /// What one source address may ask.
    public var addresses = AddressLimits()
    /// Calls that one connection may begin in a second, and as many at once after a pause; what is more is reset with
    /// ENHANCE_YOUR_CALM. 0 means any number.
    public var callsPerSecond = 0
    /// Handshakes that may go on at once; beyond it the oldest is dropped for each new one.
    public var maximumHandshakes = 4_096
    /// How often it is looked whether the files of the certificates have changed.
    public var certificateInterval = TLSCertificates.lookInterval
    /// Told when certificates were read again: nil, or why the old ones go on.
    public var onCertificates: TLSCertificates.Listener = { _ in }
    /// Told of connections that ended because the client's certificate was not accepted, or not any more: its address, and why.
    public var onRefusedPeer: @Sendable (_ address: String, _ reason: String) -> Void = { _, _ in }

    /// Connections at once, unless others are wanted.
    public static let standardMaximumConnections = 20_000

    /// How a server listens.
    public init(
      host: String, port: Int, tls: TLSConfiguration, limits: HTTP2Limits = .init(),
      connectionLimits: ConnectionLimits = .server,
      maximumConnections: Int = Configuration.standardMaximumConnections
    ) {
      self.host = host
      self.port = port
      self.tls = tls
      self.limits = limits
      self.connectionLimits = connectionLimits
      self.maximumConnections = maximumConnections
    }
  }

  /// Unique within the process.
  let identifier = nextChannelIdentifier()
  private let listener: LoopBound<Listener>
  private let shares: [ServerShare]
  private let gate: ConnectionGate
  private let first: EventLoop
  private let certificates: TLSCertificates
  /// The address, as it was given.
  public let host: String
  /// The port, also if a free one was asked for.
  public let port: Int

  /// Listens at once. Throws with a clear line if the port is in use or a certificate cannot be read.
  public init(_ configuration: Configuration, acceptor: any StreamAcceptor, group: EventLoopGroup) async throws {
    let certificates = try TLSCertificates(
      configuration.tls, role: .server, clock: group.first.clock, listener: configuration.onCertificates)
    self.certificates = certificates
    let gate = ConnectionGate(configuration.addresses)
    self.gate = gate
    let shares = group.loops.map { loop in
      ServerShare(
        loop: loop, certificates: certificates, acceptor: acceptor, configuration, gate: gate, shares: group.loops.count
      )
    }
    self.shares = shares
    first = group.first
    host = configuration.host
    let bound: (listener: LoopBound<Listener>, port: Int) = try await group.first.run {
      let listener = try Listener(configuration, shares: shares, gate: gate, loop: group.first)
      return (LoopBound(listener, on: group.first), listener.port)
    }
    listener = bound.listener
    port = bound.port
    first.directory.add(self)
    certificates.watch(on: first, every: configuration.certificateInterval)
  }

  deinit { first.directory.removeServer(identifier) }

  /// How it is now.
  func facts() async throws -> ServerFacts {
    var statistics = ConnectionStatistics()
    var sockets: [SocketFacts] = []
    for share in shares {
      let (total, own) = try await share.loop.run { share.facts }
      statistics += total
      sockets += own
    }
    sockets.sort { $0.identifier < $1.identifier }
    return ServerFacts(identifier: identifier, name: "\(host):\(port)", statistics: statistics, sockets: sockets)
  }

  /// Reads the files of the certificates again, changed or not. Connections that come from now on get the new ones; those that
  /// stand, and their calls, go on. When the files cannot be used the old certificates go on.
  public func reloadCertificates() { certificates.reload() }

  /// Takes no more connections, tells clients to go elsewhere, waits for running calls to end, at most so long, then closes
  /// what is left.
  public func shutdown(grace: Duration) async {
    let (listener, shares, first) = (listener, shares, first)
    _ = try? await first.run {
      listener.value.stopListening()
      for share in shares { share.drain() }
      let deadline = Deadline(after: grace, clock: first.clock)
      while shares.contains(where: { $0.connectionCount > 0 }),
        deadline.remainingNanoseconds(at: first.clock.monotonicNanoseconds()) > 0
      {
        try? await first.sleep(for: .milliseconds(10))
      }
      for share in shares { share.forEach { $0.close("the server is stopping") } }
    }
  }

  /// Connections now.
  public var connectionCount: Int { shares.reduce(0) { $0 + $1.connectionCount } }

  /// Connections that were turned away since the start.
  public var refusedConnections: [ConnectionRefusal: Int] { gate.refused }
}

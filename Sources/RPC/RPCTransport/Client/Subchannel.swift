import COpenSSL
import Core
import Glibc
import RPCCore

/// Who is told what becomes of a subchannel. Called on its loop.
protocol SubchannelOwner: AnyObject {
  /// It is connected, was lost, or may try again after its back-off.
  func subchannelChanged(_ subchannel: Subchannel)
  /// An attempt has failed.
  func subchannelFailed(_ subchannel: Subchannel)
}

/// One connection to one address: carries out what `SubchannelMachine` decides. Confined to its loop.
final class Subchannel {
  let identifier = nextChannelIdentifier()
  let target: ConnectionTarget
  let address: SocketAddress
  /// Whether it is there only because others to the same address have no room.
  let isExtra: Bool
  /// Whom it leads to: the same for all connections to one address.
  let replica: Replica
  private(set) var machine: SubchannelMachine
  weak var owner: (any SubchannelOwner)?
  private let loop: EventLoop
  private let certificates: any TLSContextSource
  private let configuration: ConnectionPool.Configuration
  /// Times of its next connection: the peer may have asked for fewer pings.
  private(set) var connectionLimits: ConnectionLimits
  /// The connection that is being made or stands.
  private(set) var connection: SocketConnection? {
    didSet { stopAskingHealth() }
  }
  private var healthService: String?
  private var watch: HealthWatch?
  /// Whether the replica has not yet answered on this connection how it is.
  private(set) var awaitsHealth = false
  /// What the last connection began with, and left for the next one.
  private var context: TLSContext?
  private var session = TLSSession()
  /// Of connections that are gone.
  private var past = ConnectionStatistics()
  /// The end of the attempt or of the back-off.
  private var timer: LoopTimer?

  init(
    target: ConnectionTarget, address: SocketAddress, isExtra: Bool, replica: Replica = Replica(), loop: EventLoop,
    certificates: any TLSContextSource,
    configuration: ConnectionPool.Configuration
  ) {
    self.target = target
    self.address = address
    self.isExtra = isExtra
    self.replica = replica
    healthService = isExtra ? nil : configuration.healthService
    self.loop = loop
    self.certificates = certificates
    self.configuration = configuration
    connectionLimits = configuration.connectionLimits
    machine = SubchannelMachine(maximumBackoff: configuration.maximumBackoff)
  }

  /// The connection if calls may be made on it.
  var http2: HTTP2Connection? {
    guard machine.state == .ready, let http2 = connection?.http2, !http2.isClosing else { return nil }
    return http2
  }

  /// Whether nothing is known against the replica's health.
  var isHealthy: Bool { !awaitsHealth && replica.health != .notServing }

  /// Why there is no connection.
  var error: RPCError? {
    machine.lastError.map { RPCError(.unavailable, "cannot connect to \(target.authority): \($0)") }
  }

  private var now: UInt64 { loop.clock.monotonicNanoseconds() }

  /// Begins an attempt unless one runs, the back-off does, or the connection stands.
  func connect() {
    guard machine.connect(at: now) else { return }
    clearTimer()
    let descriptor = socket(
      address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return fail(String(cString: strerror(errno))) }
    let result = address.withPointer { Glibc.connect(descriptor, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else {
      let code = errno
      close(descriptor)
      return fail(String(cString: strerror(code)))
    }
    connection = SocketConnection(
      loop: loop, descriptor: descriptor, address: address.description, context: currentContext(),
      serverName: target.serverName, limits: configuration.limits, budget: configuration.budget,
      life: connectionLimits,
      session: session, isConnecting: true, owner: self)
    guard let connection else {
      close(descriptor)
      return fail("out of memory")
    }
    let limit = configuration.connectTimeout
    timer = loop.schedule(afterNanoseconds: UInt64(limit / .nanoseconds(1))) { [weak connection] in
      connection?.close("no TLS connection within \(limit)")
    }
  }

  /// What a connection begins with now. A session tells who we were when it began and whom we trusted, so it goes when either
  /// may have changed.
  private func currentContext() -> TLSContext {
    let current = certificates.current
    if current !== context {
      context = current
      session = TLSSession()
    }
    return current
  }

  /// Ends the connection when its calls have ended; an attempt at once. It may be made again.
  func disconnect() {
    let old = release()
    let wasReady = machine.state == .ready
    machine.closed()
    if wasReady { old?.closeWhenDone() } else { old?.close("nobody needs the connection any more") }
  }

  /// As `disconnect`, for ever.
  func shutDown() {
    disconnect()
    machine.shutDown()
  }

  private func fail(_ reason: String) {
    connection = nil
    machine.failed(reason, at: now, loop.random)
    waitForRetry()
    owner?.subchannelFailed(self)
  }

  /// The connection, or the attempt at one, has ended.
  private func drop(_ reason: String) {
    guard machine.state != .connecting else { return fail(reason) }
    connection = nil
    machine.lost(reason, at: now, loop.random)
    waitForRetry()
    owner?.subchannelChanged(self)
  }

  /// Notices a connection that takes no more calls though nobody said so: READY must not outlive it.
  func refresh() {
    guard machine.state == .ready, http2 == nil else { return }
    connection?.closeWhenDone()
    drop("the connection takes no more calls")
  }

  /// Tells the owner when the back-off is over, so that it need not look again and again.
  private func waitForRetry() {
    clearTimer()
    guard machine.state == .transientFailure else { return }
    let (now, retry) = (now, machine.retryNanoseconds)
    timer = loop.schedule(afterNanoseconds: retry > now ? retry - now : 0) { [weak self] in
      guard let self else { return }
      timer = nil
      owner?.subchannelChanged(self)
    }
  }

  /// How it is now.
  var facts: SubchannelFacts {
    let socket = machine.state == .ready ? connection?.facts(peerName: target.serverName) : nil
    var statistics = past
    if let socket { statistics += socket.statistics }
    let complaint = replica.complaint
    return SubchannelFacts(
      identifier: identifier, target: address.description, state: state, statistics: statistics,
      lastError: complaint ?? machine.lastError,
      lastErrorNanoseconds: complaint == nil ? machine.errorNanoseconds : replica.complaintNanoseconds, socket: socket,
      isServing: replica.health == .serving, isEjected: replica.isEjected)
  }

  /// As gRPC has it: one that gets no calls because of its health or its failures is not READY.
  private var state: ConnectivityState {
    guard machine.state == .ready else { return machine.state }
    if awaitsHealth { return .connecting }
    return isHealthy && !replica.isDoubtful ? .ready : .transientFailure
  }

  // MARK: health

  /// Has the replica asked for this service's health from now on; nil asks nothing more.
  func askHealth(_ service: String?) {
    guard !isExtra, service != healthService else { return }
    healthService = service
    stopAskingHealth()
    replica.set(.serving, at: now)
    if machine.state == .ready { askHealth() }
  }

  private func askHealth() {
    guard let healthService, let http2 else { return }
    awaitsHealth = true
    let watch = HealthWatch(healthService, on: http2, authority: target.authority, loop: loop) { [weak self] in
      self?.heard($0)
    }
    self.watch = watch
    watch.ask()
  }

  private func heard(_ health: Health) {
    guard awaitsHealth || replica.health != health else { return }
    if replica.health != health {
      let words =
        switch health {
        case .serving: "a replica serves again"
        case .notServing: "a replica says that it does not serve; it gets no new calls"
        case .silent: "a replica does not answer whether it serves; it gets calls only where no other one can"
        }
      configuration.logger?.notice("\(words)", metadata: ["replica": .string(address.description)])
    }
    awaitsHealth = false
    replica.set(health, at: now)
    owner?.subchannelChanged(self)
  }

  private func stopAskingHealth() {
    watch?.stop()
    watch = nil
    awaitsHealth = false
  }

  private func release() -> SocketConnection? {
    clearTimer()
    defer { connection = nil }
    return connection
  }

  private func clearTimer() {
    if let timer { loop.cancel(timer) }
    timer = nil
  }
}

extension Subchannel: SocketConnectionOwner {
  func connectionIsReady(_ connection: SocketConnection) {
    guard connection === self.connection else { return }
    clearTimer()
    machine.connected(at: now)
    connection.http2?.replica = replica
    askHealth()
    owner?.subchannelChanged(self)
  }

  func connection(_ connection: SocketConnection, opened stream: HTTP2Stream) -> (any HTTP2StreamHandler)? { nil }

  func connectionReceivedGoAway(_ connection: SocketConnection) {
    if connection.http2?.hasPingedTooOften == true { connectionLimits.doubleKeepaliveTime() }
    // Running calls end on the old connection; new ones go to a new one.
    connection.closeWhenDone()
    if connection === self.connection { drop("the server takes no more calls on the connection (GOAWAY)") }
  }

  func connectionClosed(_ connection: SocketConnection, reason: String) {
    if let statistics = connection.http2?.statistics { past += statistics }
    if connection === self.connection { drop(reason) }
  }
}

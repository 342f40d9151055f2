import COpenSSL
import Core
import Glibc
import RPCCore

/// Who is told about a socket's connection. Called on its loop.
protocol SocketConnectionOwner: AnyObject {
  /// TLS and HTTP/2 stand. For a client: the server has answered, for with TLS 1.3 it refuses a client's certificate only
  /// after the client's side of the handshake is done.
  func connectionIsReady(_ connection: SocketConnection)
  /// The peer has opened a stream; nil refuses it.
  func connection(_ connection: SocketConnection, opened stream: HTTP2Stream) -> (any HTTP2StreamHandler)?
  /// The peer takes no more streams.
  func connectionReceivedGoAway(_ connection: SocketConnection)
  /// The end: why, in words. Always the last call.
  func connectionClosed(_ connection: SocketConnection, reason: String)
}

/// A socket with TLS around an HTTP/2 connection: carries bytes both ways and keeps none while the peer reads.
final class SocketConnection: PollHandler {
  private enum Phase {
    case connecting
    case handshaking
    case open
    case closed
  }

  /// Most reads of one turn, so that one busy connection does not starve the others of its loop.
  private static let readsPerTurn = 16
  /// Output is packed until a TLS record is full.
  private static let recordBytes = 16_384

  let identifier = nextChannelIdentifier()
  let loop: EventLoop
  let address: String
  /// Its number among those of its owner.
  var number = -1
  /// Whose it is and how many calls it has begun lately, for its owner.
  var source: SourceAddress?
  var calls = TokenBucket()
  private(set) var http2: HTTP2Connection?
  private(set) var peer: Peer
  /// Whether the connection ended because the peer's certificate was not accepted, or not any more.
  private(set) var hasRefusedPeer = false
  private let tls: TLSStream
  private let role: HTTP2Role
  private let limits: HTTP2Limits
  private let budget: ByteBudget
  private var owner: (any SocketConnectionOwner)?
  private var phase: Phase
  private var life: ConnectionLife
  /// The only timer of a connection: the end of the handshake's time first, then whatever `life` waits for.
  private var timer: LoopTimer?
  /// Whether streams are looked at for stalls: not while there are none.
  private var isLooking = false
  /// Output that the socket did not take.
  private var unsent: [UInt8] = []
  private var unsentOffset = 0
  private var closesWhenDone = false
  private var isReady = false

  /// Takes over a socket that is connected, or still connecting.
  init?(
    loop: EventLoop, descriptor: Int32, address: String, context: TLSContext, serverName: String?, limits: HTTP2Limits,
    budget: ByteBudget, life lifeLimits: ConnectionLimits? = nil, session: TLSSession? = nil, isConnecting: Bool,
    owner: any SocketConnectionOwner
  ) {
    guard
      let tls = TLSStream(
        context, descriptor: descriptor, serverName: serverName, session: session, now: loop.clock.now(),
        space: loop.records)
    else { return nil }
    self.loop = loop
    self.address = address
    self.tls = tls
    self.limits = limits
    self.budget = budget
    self.owner = owner
    role = context.role
    life = ConnectionLife(
      lifeLimits ?? (context.role == .server ? .server : .client), now: loop.now, jitter: loop.random.next())
    phase = isConnecting ? .connecting : .handshaking
    peer = Peer(address: address, certificate: nil)
    super.init(descriptor: descriptor)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    context.source?.begins(on: loop)
    loop.watch(self, isConnecting ? EPOLLOUT.rawValue : EPOLLIN.rawValue)
    let time = life.limits.handshakeTime
    timer = loop.schedule(afterNanoseconds: time.wholeNanoseconds) { [weak self] in
      self?.close("no connection with TLS and HTTP/2 within \(time)")
    }
    if role == .client, !isConnecting { ready(EPOLLIN.rawValue) }
  }

  override func ready(_ events: UInt32) {
    switch phase {
    case .connecting: finishConnecting()
    case .handshaking: handshake()
    case .open:
      if events & EPOLLOUT.rawValue != 0 { flush() }
      if phase == .open, events & ~EPOLLOUT.rawValue != 0 { readAll() }
    case .closed: break
    }
  }

  /// Closes at once.
  func close(_ reason: String) {
    guard phase != .closed else { return }
    if phase == .open { tls.shutdown() }
    phase = .closed
    if let timer { loop.cancel(timer) }
    loop.forget(self)
    let owner = owner
    self.owner = nil
    http2?.abort(reason)
    owner?.connectionClosed(self, reason: reason)
  }

  /// Closes at once, with the calls on it, if the peer's certificate has been revoked since the connection began.
  func closeIfRevoked(by certificates: TLSCertificates) {
    guard phase == .open, tls.isOf(certificates), let reason = tls.revocation else { return }
    refusePeer(reason)
  }

  private func refusePeer(_ reason: String) {
    hasRefusedPeer = true
    close(reason)
  }

  /// Lets the peer go elsewhere without losing a call, and closes when its streams have ended.
  func drain() {
    guard phase == .open, let http2 else { return close("the connection is not needed any more") }
    life.announced(at: loop.now)
    http2.drain()
    keepWatch()
  }

  /// Closes when all streams have ended and all output has gone.
  func closeWhenDone() {
    closesWhenDone = true
    loop.markDirty(self)
  }

  private func finishConnecting() {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    guard code == 0 else { return close(String(cString: strerror(code))) }
    phase = .handshaking
    handshake()
  }

  private func handshake() {
    switch tls.handshake() {
    case .wantsRead: watch(EPOLLIN.rawValue)
    case .wantsWrite: watch(EPOLLIN.rawValue | EPOLLOUT.rawValue)
    case .ended: close("connection closed during the TLS handshake")
    case .failed(let reason):
      hasRefusedPeer = tls.hasRefusedPeer
      close("TLS handshake failed: \(reason)")
    case .done: open()
    }
  }

  private func open() {
    guard role == .server || tls.hasChosenHTTP2 else {
      return close("the server does not speak HTTP/2: it did not choose \"h2\"")
    }
    if let refusal = tls.peerRefusal(at: loop.clock.now()) { return refusePeer(refusal) }
    guard let http2 = HTTP2Connection(role: role, limits: limits, budget: budget) else { return close("out of memory") }
    self.http2 = http2
    http2.delegate = self
    http2.statistics.sessionsResumed = tls.isResumed ? 1 : 0
    peer = Peer(address: address, certificate: tls.peerCertificate)
    phase = .open
    watch(EPOLLIN.rawValue)
    loop.markDirty(self)
    // The peer's first bytes may have been read together with the end of its handshake.
    if phase == .open { readAll() }
  }

  private func becomeReady() {
    isReady = true
    keepWatch()
    owner?.connectionIsReady(self)
  }

  private func readAll() {
    for _ in 0..<SocketConnection.readsPerTurn {
      guard let http2, phase == .open else { return }
      switch tls.read(loop.scratch) {
      case .done(let count):
        life.lastRead = loop.now
        http2.statistics.bytesReceived += count
        guard http2.receive(UnsafeRawBufferPointer(rebasing: loop.scratch[0..<count])) else {
          flush()
          return close(http2.condemnation ?? "the peer broke the HTTP/2 protocol")
        }
        if !isReady { becomeReady() }
        if !isLooking, http2.activeStreams > 0 { startLooking() }
        // What is still in the socket epoll tells, so nothing is asked for that has not come.
        if !tls.hasUnread { return }
      case .wantsRead: return
      case .wantsWrite: return watch(EPOLLIN.rawValue | EPOLLOUT.rawValue)
      case .ended: return close("connection closed by the peer")
      case .failed(let reason): return close(reason)
      }
    }
    // OpenSSL may hold more than the socket does, so epoll alone would not bring us back.
    loop.again(self)
  }

  override func flush() {
    guard phase == .open, let http2 else { return }
    while true {
      if unsent.isEmpty {
        guard let count = fill(http2) else { return close("the peer broke the HTTP/2 protocol") }
        if count == 0 { break }
        if count >= SocketConnection.recordBytes { tls.gather() }
        guard send(UnsafeRawBufferPointer(rebasing: loop.scratch[0..<count]), keepRest: true) else { return }
      } else {
        let waiting = unsent
        guard waiting.withUnsafeBytes({ send(UnsafeRawBufferPointer(rebasing: $0[unsentOffset...]), keepRest: false) })
        else { return }
      }
    }
    guard flushRecords() else { return }
    if interest & EPOLLOUT.rawValue != 0 { watch(EPOLLIN.rawValue) }
    if !isLooking, http2.activeStreams > 0 { startLooking() }
    if http2.isDone || closesWhenDone && http2.activeStreams == 0 { close("connection done") }
  }

  /// Packs output into the loop's scratch space until a record is full; nil if the connection is broken.
  private func fill(_ http2: HTTP2Connection) -> Int? {
    var count = 0
    while count < SocketConnection.recordBytes {
      let rest = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[count...])
      guard let piece = http2.nextOutput(rest) else { return nil }
      if piece == 0 { break }
      count += piece
    }
    return count
  }

  /// Writes all, or keeps the rest for when the socket takes it; false when it does not, or has failed.
  private func send(_ bytes: UnsafeRawBufferPointer, keepRest: Bool) -> Bool {
    var sent = 0
    while sent < bytes.count {
      switch tls.write(UnsafeRawBufferPointer(rebasing: bytes[sent...])) {
      case .done(let count):
        sent += count
        life.lastWrite = loop.now
        http2?.statistics.bytesSent += count
      case .wantsRead, .wantsWrite:
        if keepRest {
          unsent = Array(bytes[sent...])
          unsentOffset = 0
        } else {
          unsentOffset += sent
        }
        watch(EPOLLIN.rawValue | EPOLLOUT.rawValue)
        return false
      case .ended:
        close("connection closed by the peer")
        return false
      case .failed(let reason):
        close(reason)
        return false
      }
    }
    if !keepRest {
      unsent = []
      unsentOffset = 0
    }
    return true
  }

  /// Hands the records that were gathered to the socket; false if it does not take all, or has failed.
  private func flushRecords() -> Bool {
    let waited = tls.waiting
    switch tls.flush() {
    case .failed(let reason):
      close(reason)
      return false
    case .wantsWrite:
      if tls.waiting < waited { life.lastWrite = loop.now }
      watch(EPOLLIN.rawValue | EPOLLOUT.rawValue)
      return false
    default:
      if waited > 0 { life.lastWrite = loop.now }
      return true
    }
  }

  /// How it is now.
  func facts(peerName: String) -> SocketFacts {
    let name = peer.certificate.map { "\($0.commonName) (\($0.organizationalUnit))" } ?? peerName
    return SocketFacts(
      identifier: identifier, local: SocketAddress.local(of: descriptor)?.facts,
      remote: SocketAddress.remote(of: descriptor)?.facts, peerName: name, openStreams: http2?.activeStreams ?? 0,
      statistics: http2?.statistics ?? ConnectionStatistics())
  }

  private func watch(_ wanted: UInt32) {
    if interest != wanted { loop.watch(self, wanted) }
  }
}

extension SocketConnection: HTTP2ConnectionDelegate {
  func connectionNeedsFlush() { loop.markDirty(self) }

  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)? {
    http2?.statistics.lastStreamNanoseconds = loop.now
    return owner?.connection(self, opened: stream)
  }

  func connectionReceivedGoAway() { owner?.connectionReceivedGoAway(self) }

  func connectionReceivedPing() {
    guard let http2 else { return }
    let isAllowed = life.receivedPing(
      activeStreams: http2.activeStreams, hasSent: http2.hasSentPayload, at: loop.now)
    http2.hasSentPayload = false
    if role == .server, !isAllowed { http2.condemnPings() }
  }

  func connectionSpentAllowance() -> Bool { life.mayHaveAllowance(at: loop.now) }

  func connectionRefusedStreams() {
    life.refused(at: loop.now)
    closeWhenDone()
  }

  func connectionClosedStream() {
    if http2?.activeStreams == 0 { life.emptySince = loop.now }
    if closesWhenDone { loop.markDirty(self) }
  }
}

extension SocketConnection {
  private func startLooking() {
    isLooking = true
    life.wake(at: loop.now)
    keepWatch()
  }

  /// Does what is due, and sets the timer for what comes next.
  private func keepWatch() {
    if let timer { loop.cancel(timer) }
    timer = nil
    while phase == .open, let http2 {
      let facts = ConnectionLife.Facts(
        activeStreams: http2.activeStreams, isOutputBlocked: !unsent.isEmpty || tls.waiting > 0,
        openHeaderBlock: http2.openHeaderBlock)
      switch life.next(facts, at: loop.now) {
      case .wait(let until):
        isLooking = facts.activeStreams > 0
        guard let until else { return }
        let delay = until > loop.now ? until - loop.now : 0
        timer = loop.schedule(afterNanoseconds: delay) { [weak self] in self?.keepWatch() }
        return
      case .ping: http2.ping()
      case .drain: retire(http2)
      case .refuseStreams:
        life.refused(at: loop.now)
        http2.refuseStreams()
      case .lookForStalls: http2.resetStalledStreams(after: life.stallLooks)
      case .close(let reason): close(reason)
      }
    }
  }

  /// A server asks its client to go elsewhere; a client does so.
  private func retire(_ http2: HTTP2Connection) {
    life.announced(at: loop.now)
    if role == .server { return http2.drain() }
    http2.refuseStreams()
    owner?.connectionReceivedGoAway(self)
  }
}

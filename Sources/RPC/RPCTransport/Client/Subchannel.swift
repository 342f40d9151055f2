import COpenSSL
import Core
import Glibc
import RPCCore

/// One connection to one address, made when it is needed and made again when it breaks. Confined to its loop.
///
/// Unchecked Sendable so that tasks of that loop may hold it; `connect` checks in debug builds that they run there.
public final class Subchannel: ConnectionSource, @unchecked Sendable {
  private enum State {
    case idle
    case connecting(SocketConnection)
    case ready(SocketConnection)
    case failed(RPCError)
  }

  /// Calls that may wait for a connection; more fail with RESOURCE_EXHAUSTED.
  public static let maximumWaiting = 10_000

  /// ":authority" of the calls: HOST:PORT.
  public let authority: String
  private let host: String
  private let port: Int
  private let loop: EventLoop
  private let context: TLSContext
  private let limits: HTTP2Limits
  private let serverName: String
  private var state = State.idle
  private var backoff: Backoff
  private var waiting: [ConnectionWaiter] = []
  /// Addresses of the host that are tried when the one before has failed.
  private var untried: ArraySlice<SocketAddress> = []

  /// A connection to HOST:PORT, checked against `serverName` (the host if nil). `maximumPause` is the longest time between two
  /// attempts; 10 seconds if nil.
  public init(
    host: String, port: Int, loop: EventLoop, context: TLSContext, serverName: String? = nil,
    limits: HTTP2Limits = .init(), maximumPause: Duration? = nil
  ) {
    backoff = Backoff(maximum: maximumPause ?? Backoff.standardMaximum)
    self.host = host
    self.port = port
    self.loop = loop
    self.context = context
    self.limits = limits
    self.serverName = serverName ?? host
    authority = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
  }

  /// The connection if it stands.
  public var current: HTTP2Connection? {
    if case .ready(let connection) = state { connection.http2 } else { nil }
  }

  /// The connection, made if there is none.
  public func connect(waitForReady: Bool) async throws(RPCError) -> HTTP2Connection {
    loop.assertOnLoop()
    if let current { return current }
    if case .failed(let error) = state, !waitForReady { throw error }
    if waiting.count >= Subchannel.maximumWaiting { waiting.removeAll { $0.isResumed } }
    guard waiting.count < Subchannel.maximumWaiting else {
      throw RPCError(.resourceExhausted, "too many calls wait for a connection to \(authority)")
    }
    let waiter = ConnectionWaiter(waitsForReady: waitForReady)
    waiting.append(waiter)
    if case .idle = state { beginConnecting() }
    return try await waiter.connection(on: loop)
  }

  /// Closes the connection when its calls have ended.
  public func close() {
    if case .ready(let connection) = state {
      state = .idle
      connection.closeWhenDone()
    }
  }

  private func beginConnecting() {
    untried = SocketAddress.resolve(host: host, port: port)[...]
    connectToNext()
  }

  private func connectToNext() {
    guard let address = untried.popFirst() else { return fail("no such host") }
    let descriptor = socket(
      address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return fail(String(cString: strerror(errno))) }
    let result = address.withPointer { Glibc.connect(descriptor, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else {
      let code = errno
      Glibc.close(descriptor)
      return fail(String(cString: strerror(code)))
    }
    let connection = SocketConnection(
      loop: loop, descriptor: descriptor, address: authority, context: context, serverName: serverName, limits: limits,
      isConnecting: true, owner: self)
    guard let connection else {
      Glibc.close(descriptor)
      return fail("out of memory")
    }
    state = .connecting(connection)
  }

  /// Goes on to the host's next address. After the last one it fails those that do not wait, and tries again after the
  /// back-off if anybody does.
  private func fail(_ reason: String) {
    guard untried.isEmpty else { return connectToNext() }
    let error = RPCError(.unavailable, "cannot connect to \(authority): \(reason)")
    state = .failed(error)
    let failing = waiting.filter { !$0.waitsForReady }
    waiting.removeAll { !$0.waitsForReady }
    for waiter in failing { waiter.resume(.failure(error)) }
    _ = loop.schedule(afterNanoseconds: backoff.next(loop.random)) { [weak self] in self?.retry() }
  }

  private func retry() {
    guard case .failed = state else { return }
    state = .idle
    waiting.removeAll { $0.isResumed }
    if !waiting.isEmpty { beginConnecting() }
  }
}

extension Subchannel: SocketConnectionOwner {
  func connectionIsReady(_ connection: SocketConnection) {
    guard let http2 = connection.http2 else { return }
    state = .ready(connection)
    untried = []
    backoff.reset()
    let served = waiting
    waiting.removeAll()
    for waiter in served { waiter.resume(.success(http2)) }
  }

  func connection(_ connection: SocketConnection, opened stream: HTTP2Stream) -> (any HTTP2StreamHandler)? { nil }

  func connectionReceivedGoAway(_ connection: SocketConnection) {
    // Running calls end on the old connection; the next one is made when it is needed.
    if case .ready(let current) = state, current === connection { state = .idle }
    connection.closeWhenDone()
  }

  func connectionClosed(_ connection: SocketConnection, reason: String) {
    switch state {
    case .connecting(let current) where current === connection: fail(reason)
    case .ready(let current) where current === connection: state = .idle
    default: break
    }
  }
}

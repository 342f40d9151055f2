import COpenSSL
import Glibc

/// A listening socket. One for all loops and without SO_REUSEPORT, which would hide that a port is in use; an accepted
/// connection goes to the loop that has the fewest and stays there.
final class Listener: PollHandler {
  /// Connections that the kernel holds until they are accepted.
  private static let backlog: Int32 = 1_024
  /// How long it accepts nothing when the system has no descriptor left: the socket stays ready all that time.
  private static let pauseNanoseconds: UInt64 = 100_000_000
  /// Descriptors that a process has beside those of its connections: files, loops, connections to others.
  private static let otherDescriptors = 1_024
  /// Most connections accepted in one turn.
  private static let acceptsPerTurn = 64

  let port: Int
  private let shares: [ServerShare]
  private let loop: EventLoop
  private let maximumConnections: Int
  private let gate: ConnectionGate

  init(
    _ configuration: Server.Configuration, shares: [ServerShare], gate: ConnectionGate, loop: EventLoop
  ) throws(TransportError) {
    mainstay_raise_descriptor_limit(UInt(configuration.maximumConnections + Listener.otherDescriptors))
    self.shares = shares
    self.loop = loop
    self.gate = gate
    maximumConnections = configuration.maximumConnections
    let (descriptor, port) = try Listener.listen(host: configuration.host, port: configuration.port)
    self.port = port
    super.init(descriptor: descriptor)
    loop.watch(self, EPOLLIN.rawValue)
  }

  /// A socket that listens, and its port, also if a free one was asked for.
  static func listen(host: String, port: Int) throws(TransportError) -> (descriptor: Int32, port: Int) {
    guard let address = SocketAddress.resolve(host: host, port: port).first else {
      throw .badAddress("\(host):\(port)")
    }
    let descriptor = socket(
      address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system("cannot make a socket", errno) }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    guard address.withPointer({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, Listener.backlog) == 0 else {
      let code = errno
      close(descriptor)
      if code == EADDRINUSE { throw .portInUse(host: host, port: port) }
      throw .system("cannot listen on \(host):\(port)", code)
    }
    return (descriptor, SocketAddress.local(of: descriptor)?.port ?? port)
  }

  func stopListening() { loop.forget(self) }

  private func pauseIfExhausted(_ code: Int32) {
    guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else { return }
    loop.watch(self, 0)
    _ = loop.schedule(afterNanoseconds: Listener.pauseNanoseconds) { [weak self] in
      guard let self, descriptor >= 0 else { return }
      loop.watch(self, EPOLLIN.rawValue)
    }
  }

  override func ready(_ events: UInt32) {
    for _ in 0..<Listener.acceptsPerTurn {
      var address = SocketAddress()
      let accepted = address.withMutablePointer { mainstay_accept(descriptor, $0, $1) }
      guard accepted >= 0 else { return pauseIfExhausted(errno) }
      take(accepted, address)
    }
  }

  /// Hands a connection to a loop, or closes it before it has cost more than its acceptance.
  private func take(_ accepted: Int32, _ address: SocketAddress) {
    let open = shares.reduce(0) { $0 + $1.connectionCount }
    let isFull = open >= maximumConnections
    guard
      let share = shares.min(by: { $0.connectionCount < $1.connectionCount }),
      gate.lets(address.source, isFull: isFull, at: loop.clock.monotonicNanoseconds())
    else {
      close(accepted)
      return
    }
    share.take(accepted, address)
  }
}

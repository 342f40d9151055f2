import Glibc
import Synchronization

/// Stands between the driver and the server's socket, and cuts a connection as its COMMIT comes by.
final class CuttingProxy: Sendable {
  /// What becomes of the COMMIT.
  enum Cut: CaseIterable, Sendable {
    /// It is done, and nobody gets the answer.
    case afterCommit
    /// It is on its way to the server; nobody knows whether it is done, or when.
    case atCommit
    /// It gets lost with the connection.
    case beforeCommit
  }

  let folder = TemporaryFolder()
  private let listener: CInt
  private let target: String
  private struct State {
    var cut: Cut?
    var cuts = 0
  }
  private let state = Mutex(State())

  /// Listens where a server would, for the server whose socket is in this folder.
  init(folder target: String) {
    self.target = target + "/.s.PGSQL.5432"
    listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    _ = withAddress(folder.path + "/.s.PGSQL.5432") { bind(listener, $0, $1) }
    listen(listener, 64)
    detach { [self] in accept() }
  }

  /// Cuts the next connection that sends COMMIT.
  func arm(_ cut: Cut) { state.withLock { $0.cut = cut } }
  /// How many connections were cut.
  var cuts: Int { state.withLock { $0.cuts } }
  /// Ends the listener; its thread ends with it.
  func close() { shutdown(listener, CInt(SHUT_RDWR)) }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { break }
      let server = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
      guard withAddress(target, { connect(server, $0, $1) }) == 0 else {
        Glibc.close(client)
        Glibc.close(server)
        continue
      }
      detach { [self] in relay(client, server) }
    }
    Glibc.close(listener)
  }

  private func relay(_ client: CInt, _ server: CInt) {
    defer {
      Glibc.close(client)
      Glibc.close(server)
    }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var commitName: [UInt8]?
    var sockets = [
      pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: server, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&sockets, 2, -1) > 0 {
      for (index, other) in [(0, server), (1, client)] where sockets[index].revents != 0 {
        let count = read(sockets[index].fd, &bytes, bytes.count)
        guard count > 0 else { return }
        if index == 0, holdsCommit(bytes[..<count], &commitName), let cut = takeCut() {
          if cut != .beforeCommit { _ = write(other, bytes, count) }
          if cut == .afterCommit { _ = read(other, &bytes, bytes.count) }
          return
        }
        var sent = 0
        while sent < count {
          let part = bytes[sent..<count].withUnsafeBytes { send(other, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
          guard part > 0 else { return }
          sent += part
        }
      }
    }
  }

  private func takeCut() -> Cut? {
    state.withLock { state in
      guard let cut = state.cut else { return nil }
      state.cut = nil
      state.cuts += 1
      return cut
    }
  }

  /// Whether COMMIT is prepared, or run under the name that it was prepared with: "P", four bytes of length, name, NUL, text.
  private func holdsCommit(_ bytes: ArraySlice<UInt8>, _ name: inout [UInt8]?) -> Bool {
    if let place = bytes.firstRange(of: Array("\u{0}COMMIT\u{0}".utf8)) {
      let letter = bytes[..<place.lowerBound].lastIndex(of: UInt8(ascii: "m")) ?? place.lowerBound
      name = Array(bytes[letter..<place.lowerBound])
      return true
    }
    return name.map { bytes.firstRange(of: [0] + $0 + [0]) != nil } ?? false
  }
}

private final class Body: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func detach(_ body: @escaping @Sendable () -> Void) {
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { context in
      if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
      return nil
    }, Unmanaged.passRetained(Body(body)).toOpaque())
  pthread_detach(thread)
}

private func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
  }
}

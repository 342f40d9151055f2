import Yams

/// HOST:PORT of a server.
struct ServerAddress: Sendable, Equatable, CustomStringConvertible {
  /// Name or IP address, without brackets.
  let host: String
  let port: Int

  /// Reads "localhost:7443", "127.0.0.1:7443" or "[::1]:7443"; nil for anything else.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65_535).contains(port)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: port)
  }

  /// An address.
  init(host: String, port: Int) {
    (self.host, self.port) = (host, port)
  }

  /// Where a service's configuration file says that it listens; nil if it does not say.
  init?(configuration path: String) {
    guard let text = try? Files.text(path), let root = try? Yams.compose(yaml: text),
      let listen = root["listen"]?.string, let address = ServerAddress(listen)
    else { return nil }
    self = address
  }

  /// The address to call a server that listens here: one that listens on all addresses is called on the loopback.
  var callable: ServerAddress {
    switch host {
    case "0.0.0.0": ServerAddress(host: "127.0.0.1", port: port)
    case "::": ServerAddress(host: "::1", port: port)
    default: self
    }
  }

  var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

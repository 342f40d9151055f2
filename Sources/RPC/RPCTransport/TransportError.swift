import Glibc

/// What can go wrong before a call: sockets, certificates, configuration. Worded for the person who starts the process.
public enum TransportError: Error, Sendable, CustomStringConvertible, Equatable {
  /// A system call failed: what was tried, and errno.
  case system(String, Int32)
  /// Another process listens there.
  case portInUse(host: String, port: Int)
  /// No such address.
  case badAddress(String)
  /// A certificate or key cannot be used: which, and why.
  case badCertificate(String)

  /// One line that says what to do.
  public var description: String {
    switch self {
    case .system(let action, let code): "\(action): \(String(cString: strerror(code)))"
    case .portInUse(let host, let port):
      "\(host):\(port) is in use by another process; stop it or choose another port"
    case .badAddress(let address): "\(address) is no address; give HOST:PORT"
    case .badCertificate(let reason): reason
    }
  }
}

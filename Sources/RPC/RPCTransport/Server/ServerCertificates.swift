import Glibc
import Synchronization

/// A server's certificates, read again when their files change. Connections that stand keep what they began with; those that
/// come get the new ones. Files that cannot be used change nothing: the old certificates go on, and the caller is told.
final class ServerCertificates: Sendable {
  /// What tells one state of a file from another (stat(2)).
  private struct Mark: Equatable {
    var inode: UInt64 = 0
    var size: Int = 0
    var seconds: Int = 0
    var nanoseconds: Int = 0
  }

  private struct State {
    var context: TLSContext
    var marks: [Mark]
  }

  private let configuration: TLSConfiguration
  private let state: Mutex<State>

  init(_ configuration: TLSConfiguration) throws(TransportError) {
    self.configuration = configuration
    // Before the files are read: what changes meanwhile is read again.
    let marks = ServerCertificates.marks(configuration)
    state = Mutex(State(context: try TLSContext(configuration, role: .server), marks: marks))
  }

  /// What connections that come now begin with.
  var current: TLSContext { state.withLock { $0.context } }

  /// Reads the files, changed or not.
  func reload() throws(TransportError) {
    let marks = ServerCertificates.marks(configuration)
    // Also when they cannot be used: they are looked at again when they have changed again.
    state.withLock { $0.marks = marks }
    let context = try TLSContext(configuration, role: .server)
    state.withLock { $0.context = context }
  }

  /// Whether the files are others than those that were read last.
  var haveChanged: Bool {
    let marks = ServerCertificates.marks(configuration)
    return state.withLock { $0.marks != marks }
  }

  private static func marks(_ configuration: TLSConfiguration) -> [Mark] {
    [configuration.certificateChainPath, configuration.privateKeyPath, configuration.authorityPath].map { path in
      var status = stat()
      guard let path, stat(path, &status) == 0 else { return Mark() }
      return Mark(
        inode: UInt64(status.st_ino), size: Int(status.st_size), seconds: Int(status.st_mtim.tv_sec),
        nanoseconds: Int(status.st_mtim.tv_nsec))
    }
  }
}

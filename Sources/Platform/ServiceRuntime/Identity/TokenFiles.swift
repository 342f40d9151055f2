import Identity
import Logging
import RPCTransport
import Signatures
import Synchronization

/// The files with the public keys of tokens, read again when they change. Files that cannot be used change nothing: the old keys
/// go on, and the log says why.
final class TokenFiles: Sendable {
  /// Files of keys.
  static let maximumFiles = 16
  /// Largest file that is read, in bytes.
  static let maximumFileBytes = 65_536

  private let paths: [String]
  private let tokens: BearerTokens
  private let logger: Logger
  private let marks: Mutex<[FileMark]>
  private let failures = Atomic<Int>(0)

  /// Has the keys of files put into `tokens` whenever they change. They were read when they had these marks.
  init(_ paths: [String], marks: [FileMark], tokens: BearerTokens, logger: Logger) {
    (self.paths, self.tokens, self.logger) = (paths, tokens, logger)
    self.marks = Mutex(marks)
  }

  /// How often files could not be used.
  var failureCount: Int { failures.load(ordering: .relaxed) }

  /// Reads the files again, changed or not.
  func reload() {
    marks.withLock { $0 = paths.map { FileMark($0) } }
    do {
      let keys = try TokenFiles.read(paths)
      tokens.replace(keys)
      logger.info("the keys of tokens were read again", metadata: ["count": "\(keys.names.count)"])
    } catch {
      failures.add(1, ordering: .relaxed)
      logger.error("the keys of tokens cannot be used; the old ones go on", metadata: ["cause": "\(error)"])
    }
  }

  /// Looks every so often whether the files have changed, as long as somebody holds this.
  func watch(on loop: EventLoop) {
    loop.spawn { [weak self] in
      while (try? await loop.sleep(for: TLSCertificates.lookInterval)) != nil {
        guard let self else { return }
        if marks.withLock({ $0 }) != paths.map({ FileMark($0) }) { reload() }
      }
    }
  }

  /// The keys of all files.
  static func read(_ paths: [String]) throws -> TokenKeySet {
    guard paths.count <= maximumFiles else { throw KeyError("tokens.keys names more than \(maximumFiles) files") }
    var keys = TokenKeySet()
    for path in paths { try keys.add(try readTextFile(path, maximumBytes: maximumFileBytes), from: path) }
    return keys
  }
}

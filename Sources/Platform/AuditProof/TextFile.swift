import Glibc
import Signatures

/// Files of keys and checkpoints.
public enum TextFile {
  /// The whole text. Throws for one that cannot be read, is too long, or is no UTF-8.
  public static func read(_ path: String, maximumBytes: Int) throws(KeyError) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw KeyError("cannot read \(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    let size = lseek(file, 0, SEEK_END)
    guard size >= 0, size <= maximumBytes else {
      throw KeyError("cannot read \(path): it is no file, or larger than \(maximumBytes) bytes")
    }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    var count = 0
    while count < bytes.count {
      let more = bytes[count...].withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(count)) }
      guard more > 0 else { throw KeyError("cannot read \(path): \(String(cString: strerror(errno)))") }
      count += more
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw KeyError("\(path) is not UTF-8") }
    return text
  }
}

extension LogKey {
  /// Largest file of keys that is read, in bytes.
  private static let maximumFileBytes = 1 << 20

  /// The keys of a file, one a line.
  public static func read(path: String) throws(KeyError) -> [LogKey] {
    guard let keys = list(try TextFile.read(path, maximumBytes: maximumFileBytes)) else {
      throw KeyError(
        "\(path) holds a line that is no key; each is NAME+ID+KEY as \"mainstay certs init\" writes it")
    }
    return keys
  }
}

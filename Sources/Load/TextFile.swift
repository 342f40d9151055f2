import Glibc

/// Small files as a whole.
enum TextFile {
  /// Largest file that is read.
  static let maximumBytes = 16_777_216

  /// A file's bytes.
  static func read(_ path: String) throws(LoadFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .usage("cannot read \(path): \(systemReason())") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      guard count >= 0 else { throw .usage("cannot read \(path): \(systemReason())") }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= maximumBytes else { throw .usage("\(path) is larger than \(maximumBytes) bytes") }
    }
  }

  /// Replaces a file.
  static func write(_ path: String, _ text: String) throws(LoadFailure) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw LoadFailure("cannot write \(path): \(systemReason())") }
    defer { close(descriptor) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw LoadFailure("cannot write \(path): \(systemReason())") }
      rest = rest.dropFirst(count)
    }
  }
}

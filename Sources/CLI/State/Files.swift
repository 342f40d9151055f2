import Glibc

/// Small files of the state folder, and files that a person names.
enum Files {
  /// Largest file that is read whole, in bytes.
  static let maximumBytes = 16_777_216

  /// Makes a folder that only its owner may enter; one that is there stays as it is.
  static func makeFolder(_ path: String) throws {
    guard mkdir(path, 0o700) != 0 else { return }
    guard errno == EEXIST else { throw CommandFailure("cannot make the folder \(path): \(systemReason())") }
  }

  /// Whether there is something at the path.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The whole content.
  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure.usage("cannot read \(path): \(systemReason())") }
    defer { close(descriptor) }
    return try read(descriptor, name: path)
  }

  /// Everything that a descriptor gives.
  static func read(_ descriptor: Int32, name: String) throws -> [UInt8] {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count == 0 { return content }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw CommandFailure.usage("cannot read \(name): \(systemReason())")
      }
      content.append(contentsOf: chunk[..<count])
      guard content.count <= maximumBytes else {
        throw CommandFailure.usage("\(name) is larger than \(maximumBytes) bytes")
      }
    }
  }

  /// The whole content as text.
  static func text(_ path: String) throws -> String {
    guard let text = String(validating: try read(path), as: UTF8.self) else {
      throw CommandFailure.usage("\(path) is not UTF-8")
    }
    return text
  }

  /// Puts a file in place at once, so that no reader ever sees half of it.
  static func write(_ text: String, to path: String, mode: mode_t = 0o600) throws {
    let temporary = "\(path).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw CommandFailure("cannot write \(path): \(systemReason())") }
    let bytes = Array(text.utf8)
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    guard written == bytes.count, rename(temporary, path) == 0 else {
      let reason = systemReason()
      unlink(temporary)
      throw CommandFailure("cannot write \(path): \(reason)")
    }
  }

  /// Names of a folder's files, in order.
  static func names(in folder: String) throws -> [String] {
    guard let directory = opendir(folder) else { throw CommandFailure("cannot read \(folder): \(systemReason())") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  /// The last lines of a log, from its last 64 KiB.
  static func lastLines(of path: String, _ count: Int) -> [String] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, Int32(SEEK_END))
    lseek(descriptor, max(0, size - 65_536), Int32(SEEK_SET))
    let bytes = (try? read(descriptor, name: path)) ?? []
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(count).map(String.init)
  }
}

/// What the last failed system call says.
func systemReason() -> String { String(cString: strerror(errno)) }

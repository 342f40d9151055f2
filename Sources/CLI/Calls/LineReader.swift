import Glibc

/// Lines of a descriptor, one at a time. Confined to one task.
final class LineReader {
  /// Longest line, in bytes: more than any message may have.
  static let maximumBytes = 16_777_216

  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var isAtEnd = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// The next line that is not blank, without its end; nil after the last.
  func next() throws -> [UInt8]? {
    var searched = 0
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(buffer[..<end])
        buffer.removeSubrange(...end)
        searched = 0
        if line.contains(where: { !isBlank($0) }) { return line }
        continue
      }
      guard !isAtEnd else {
        defer { buffer = [] }
        return buffer.contains { !isBlank($0) } ? buffer : nil
      }
      searched = buffer.count
      guard searched <= LineReader.maximumBytes else {
        throw CommandFailure("a line of the input is longer than \(LineReader.maximumBytes) bytes")
      }
      try fill()
    }
  }

  private func fill() throws {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0, errno != EINTR { throw CommandFailure("cannot read the input: \(systemReason())") }
    if count == 0 { isAtEnd = true }
    if count > 0 { buffer.append(contentsOf: chunk[..<count]) }
  }

  private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}

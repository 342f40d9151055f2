import Glibc

/// The rows that were not taken: line, reason, and the columns as they came. Made with the first such row; only its owner may
/// read it, since it holds what the original holds. Confined to one task.
final class RejectFile {
  let path: String
  private let header: [[UInt8]]
  private var descriptor: Int32 = -1
  private(set) var count = 0

  /// A reject file for an input with this header. One that an earlier import left there is removed.
  init(path: String, header: [[UInt8]]) throws {
    self.path = path
    self.header = header
    guard unlink(path) == 0 || errno == ENOENT else {
      throw CommandFailure("cannot replace the reject file \(path): \(systemReason()); name another with --rejects")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds a row.
  func add(_ record: CSVRecord, reason: String) throws {
    if descriptor < 0 {
      descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else {
        throw CommandFailure("cannot write the reject file \(path): \(systemReason()); name another with --rejects")
      }
      try write(CSV.line(Mapping.rejectColumns.map { Array($0.utf8) } + header))
    }
    count += 1
    try write(CSV.line([Array("\(record.line)".utf8), Array(reason.utf8)] + record.fields))
  }

  private func write(_ bytes: [UInt8]) throws {
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw CommandFailure("cannot write the reject file \(path): \(systemReason())")
    }
  }
}

import Glibc

/// A CSV file that is imported, with its header read and its encoding looked at.
///
/// Unchecked Sendable: opened on the main thread, which waits while the one task that imports reads it.
final class InputFile: @unchecked Sendable {
  /// How much of the file's beginning tells its encoding.
  static let sampleBytes = 1_048_576

  let path: String
  /// Bytes; nil if it is no regular file.
  let size: Int?
  private(set) var header: CSVRecord = CSVRecord(line: 1, fields: [], problem: nil)
  private var reader: CSVReader

  /// Opens a file and reads its header. Throws one line if it is no CSV file in UTF-8.
  init(_ path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure.usage("cannot read \(path): \(systemReason())") }
    var status = stat()
    fstat(descriptor, &status)
    size = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    let source = FileSource(descriptor: descriptor, path: path)
    reader = CSVReader { try source.read(into: &$0, $1) }
    let sample = try reader.beginning(InputFile.sampleBytes)
    if let encoding = TextEncoding.foreign(sample) {
      throw CommandFailure("\(path) is \(encoding), not UTF-8; convert it first, for example with iconv -t UTF-8")
    }
    guard let header = try reader.next() else { throw CommandFailure("\(path) is empty; a header line is expected") }
    if let problem = header.problem { throw CommandFailure("\(path): the header cannot be read: \(problem)") }
    self.header = header
  }

  /// The next row; nil after the last.
  func next() throws -> CSVRecord? { try reader.next() }

  /// Bytes that were used.
  var consumedBytes: Int { reader.consumedBytes }

  /// Names of the columns.
  var columns: [String] {
    header.fields.map { field in
      String(decoding: field, as: UTF8.self).split(omittingEmptySubsequences: false) { $0 == "\u{FEFF}" }.joined()
        .trimmingBlanks()
    }
  }
}

/// A descriptor as a source of bytes.
private final class FileSource {
  private let descriptor: Int32
  private let path: String

  init(descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (descriptor, path)
  }

  deinit { close(descriptor) }

  func read(into buffer: inout [UInt8], _ count: Int) throws -> Int {
    let used = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: count))
    while true {
      let got = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress?.advanced(by: used), count) }
      if got < 0, errno == EINTR { continue }
      buffer.removeLast(count - max(0, got))
      guard got >= 0 else { throw CommandFailure("cannot read \(path): \(systemReason())") }
      return got
    }
  }
}

/// Finds files that are not UTF-8 as a whole. Single bad rows are the reject file's.
enum TextEncoding {
  /// Lines of which so many hold bytes that are not UTF-8, and none holds other characters in UTF-8, are in another encoding.
  static let foreignLines = 3

  /// What the text is; nil if it may be UTF-8.
  static func foreign(_ sample: ArraySlice<UInt8>) -> String? {
    if sample.starts(with: [0xFF, 0xFE]) || sample.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
    if sample.prefix(4_096).contains(0) { return "binary or UTF-16" }
    var (lines, good, bad) = (0, 0, 0)
    let all = sample.split(separator: UInt8(ascii: "\n"))
    for (index, line) in all.enumerated() {
      // The sample may end within a character.
      if index == all.count - 1, sample.count == InputFile.sampleBytes { break }
      lines += 1
      guard line.contains(where: { $0 >= 0x80 }) else { continue }
      if String(validating: line, as: UTF8.self) == nil {
        if index == 0 { return "in another encoding" }
        bad += 1
      } else {
        good += 1
      }
    }
    return bad >= foreignLines && good == 0 && bad * 2 >= lines - 1 ? "in another encoding" : nil
  }
}

extension String {
  /// Without blanks around it.
  func trimmingBlanks() -> String {
    let begun = drop { $0.isWhitespace }
    return begun.lastIndex { !$0.isWhitespace }.map { String(begun[...$0]) } ?? ""
  }
}

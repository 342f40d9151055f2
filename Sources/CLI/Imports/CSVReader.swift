/// One record of a CSV file.
struct CSVRecord: Equatable, Sendable {
  /// Line of the file that it begins on, from 1.
  let line: Int
  /// Values as they stand in the file, in whatever encoding. If there is a problem: the whole line as one value.
  let fields: [[UInt8]]
  /// Why the record cannot be read; nil if it can.
  let problem: String?
}

/// Reads comma-separated values (RFC 4180) record by record: quoted values with commas, quotes and line ends inside, LF or CRLF,
/// an UTF-8 byte-order mark. Memory is bounded by the largest record, whatever the file's size.
///
/// A record that cannot be read costs no more than its first line: after an unclosed quote, reading goes on at the next line.
struct CSVReader: ~Copyable {
  /// Largest record, in bytes: well above what a party or policy can hold.
  static let maximumRecordBytes = 262_144
  /// Most values of a record.
  static let maximumFields = 1_024

  private let read: (inout [UInt8], Int) throws -> Int
  private let chunkBytes: Int
  /// Bytes from `start` on are not used yet.
  private var buffer: [UInt8] = []
  private var start = 0
  private var line = 1
  private var isAtEnd = false
  private var isAtBeginning = true

  /// Bytes of the source that have been used.
  private(set) var consumedBytes = 0

  /// A reader over a source: `read` appends at most so many bytes and tells how many; 0 at the end.
  init(chunkBytes: Int = 65_536, read: @escaping (inout [UInt8], Int) throws -> Int) {
    self.read = read
    self.chunkBytes = chunkBytes
  }

  /// The next record; nil after the last. Empty lines are passed over.
  mutating func next() throws -> CSVRecord? {
    if isAtBeginning { try skipByteOrderMark() }
    while true {
      guard try available(0) else { return nil }
      let record = try parse()
      // A line with nothing on it is no record.
      if record.problem == nil, record.fields == [[]] { continue }
      return record
    }
  }

  /// What the file begins with, up to so many bytes, without using it.
  mutating func beginning(_ count: Int) throws -> ArraySlice<UInt8> {
    while buffer.count - start < count, try fill() {}
    return buffer[start...].prefix(count)
  }

  private mutating func parse() throws -> CSVRecord {
    var fields: [[UInt8]] = []
    var field: [UInt8] = []
    var position = 0
    var lineEnds = 0
    var isQuoted = false
    while true {
      guard position <= CSVReader.maximumRecordBytes, fields.count < CSVReader.maximumFields else {
        return try reject(
          position > CSVReader.maximumRecordBytes
            ? "longer than \(CSVReader.maximumRecordBytes) bytes"
              + (isQuoted ? "; is a quote not closed?" : "") : "more than \(CSVReader.maximumFields) values")
      }
      guard try available(position) else {
        guard !isQuoted else { return try reject("a quote is not closed") }
        return finish(fields + [field], length: position, lineEnds: lineEnds)
      }
      let byte = buffer[start + position]
      position += 1
      if isQuoted {
        if byte == UInt8(ascii: "\n") { lineEnds += 1 }
        guard byte == UInt8(ascii: "\"") else { field.append(byte); continue }
        if try available(position), buffer[start + position] == UInt8(ascii: "\"") {
          field.append(byte)
          position += 1
          continue
        }
        isQuoted = false
        guard try isValueEnd(position) else { return try reject("text behind a closing quote") }
        continue
      }
      switch byte {
      case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
      case UInt8(ascii: ","):
        fields.append(field)
        field = []
      case UInt8(ascii: "\n"):
        return finish(fields + [field], length: position, lineEnds: lineEnds + 1)
      case UInt8(ascii: "\r"):
        if try available(position), buffer[start + position] == UInt8(ascii: "\n") { continue }
        field.append(byte)
      default: field.append(byte)
      }
    }
  }

  /// Whether a value that is quoted may end here: before a comma, a line end or the file's end.
  private mutating func isValueEnd(_ position: Int) throws -> Bool {
    guard try available(position) else { return true }
    switch buffer[start + position] {
    case UInt8(ascii: ","), UInt8(ascii: "\n"): return true
    case UInt8(ascii: "\r"):
      let isLineEnd = try available(position + 1) && buffer[start + position + 1] == UInt8(ascii: "\n")
      return isLineEnd
    default: return false
    }
  }

  private mutating func finish(_ fields: [[UInt8]], length: Int, lineEnds: Int) -> CSVRecord {
    let record = CSVRecord(line: line, fields: fields, problem: nil)
    advance(length)
    line += lineEnds
    return record
  }

  /// Gives the first line up and goes on behind it.
  private mutating func reject(_ problem: String) throws -> CSVRecord {
    var text: [UInt8] = []
    let number = line
    line += 1
    while true {
      if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
        text += buffer[start..<end].prefix(CSVReader.maximumRecordBytes - text.count)
        advance(end + 1 - start)
        break
      }
      text += buffer[start...].prefix(CSVReader.maximumRecordBytes - text.count)
      advance(buffer.count - start)
      if try !fill() { break }
    }
    if text.last == UInt8(ascii: "\r") { text.removeLast() }
    return CSVRecord(line: number, fields: [text], problem: problem)
  }

  private mutating func skipByteOrderMark() throws {
    isAtBeginning = false
    if try beginning(3) == [0xEF, 0xBB, 0xBF] { advance(3) }
  }

  private mutating func advance(_ count: Int) {
    start += count
    consumedBytes += count
  }

  /// Whether there is a byte so far behind `start`.
  private mutating func available(_ offset: Int) throws -> Bool {
    while start + offset >= buffer.count {
      if try !fill() { return false }
    }
    return true
  }

  private mutating func fill() throws -> Bool {
    if isAtEnd { return false }
    if start > 0 {
      buffer.removeSubrange(..<start)
      start = 0
    }
    if try read(&buffer, chunkBytes) == 0 { isAtEnd = true }
    return !isAtEnd
  }
}

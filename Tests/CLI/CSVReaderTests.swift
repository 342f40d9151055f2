import Core
import Foundation
import Testing

@testable import mainstay

/// All records of a text, read in chunks of so many bytes.
func records(_ bytes: [UInt8], chunkBytes: Int = 65_536) throws -> [CSVRecord] {
  var rest = bytes[...]
  var reader = CSVReader(chunkBytes: chunkBytes) { buffer, count in
    let chunk = rest.prefix(count)
    rest = rest.dropFirst(count)
    buffer.append(contentsOf: chunk)
    return chunk.count
  }
  var records: [CSVRecord] = []
  while let record = try reader.next() { records.append(record) }
  #expect(reader.consumedBytes == bytes.count)
  return records
}

private func values(_ text: String) throws -> [[String]] {
  try records(Array(text.utf8)).map { $0.fields.map { String(decoding: $0, as: UTF8.self) } }
}

struct CSVReaderTests {
  @Test func quotedValuesHoldCommasQuotesAndLineEnds() throws {
    #expect(
      try values("a,\"b,c\",\"d \"\"e\"\"\"\n\"x\r\ny\",,\"\"\n") == [["a", "b,c", "d \"e\""], ["x\r\ny", "", ""]])
  }

  @Test func lineEndsAreLFOrCRLFAndTheLastMayBeMissing() throws {
    #expect(try values("a,b\r\nc,d\ne,f") == [["a", "b"], ["c", "d"], ["e", "f"]])
    #expect(try values("a\rb\n") == [["a\rb"]])
  }

  @Test func aByteOrderMarkIsNoPartOfTheFirstName() throws {
    #expect(try values("\u{FEFF}a,b\n") == [["a", "b"]])
  }

  @Test func emptyLinesArePassedOverAndCounted() throws {
    let read = try records(Array("\n\r\na\n\n\nb\n".utf8))
    #expect(read.map(\.line) == [3, 6])
  }

  @Test func linesAreCountedWithinQuotes() throws {
    let read = try records(Array("h\n\"1\n2\n3\"\nlast\n".utf8))
    #expect(read.map(\.line) == [1, 2, 5])
  }

  @Test func anUnclosedQuoteCostsOneLine() throws {
    let read = try records(Array("h\n\"open,1\na,2\nb,3\n".utf8))
    #expect(read.map(\.line) == [1, 2, 3, 4])
    #expect(read[1].problem == "a quote is not closed")
    #expect(read[1].fields == [Array("\"open,1".utf8)])
    #expect(read[3].fields == [Array("b".utf8), Array("3".utf8)])
  }

  @Test func textBehindAClosingQuoteCostsOneLine() throws {
    let read = try records(Array("\"a\"b,c\nd\n".utf8))
    #expect(read.map(\.problem) == ["text behind a closing quote", nil])
  }

  @Test func aRecordOverTheLimitIsRejectedAndReadingGoesOn() throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: CSVReader.maximumRecordBytes + 10)
    let read = try records(Array("h\n".utf8) + long + Array("\nb\n".utf8), chunkBytes: 1_000)
    #expect(read.map(\.line) == [1, 2, 3])
    #expect(read[1].problem?.hasPrefix("longer than") == true)
    #expect(read[1].fields.first?.count == CSVReader.maximumRecordBytes)
  }

  @Test func tooManyValuesAreRejected() throws {
    let read = try records(
      [UInt8](repeating: UInt8(ascii: ","), count: CSVReader.maximumFields + 5) + Array("\nb\n".utf8))
    #expect(read.map { $0.problem == nil } == [false, true])
  }

  @Test(arguments: 0..<200) func whatIsWrittenIsReadAgain(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let alphabet = Array("ab,\"\n\r é".utf8)
    let written: [[[UInt8]]] = (0..<Int.random(in: 1...20, using: &random)).map { _ in
      (0..<Int.random(in: 2...5, using: &random)).map { _ in
        (0..<Int.random(in: 0...6, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) }
      }
    }
    let bytes = written.flatMap { CSV.line($0) }
    for chunkBytes in [1, 3, 65_536] {
      #expect(try records(bytes, chunkBytes: chunkBytes).map(\.fields) == written, "seed \(seed)")
    }
  }
}

/// Seeded mutations of saved files: whatever the bytes, reading ends, all of it is used, lines only grow, and the size of the
/// chunks makes no difference.
struct CSVFuzzTests {
  private static let corpus: [[UInt8]] = {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")
    let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    return files.sorted { $0.path < $1.path }.compactMap { try? Data(contentsOf: $0) }.map(Array.init)
  }()

  @Test func theCorpusIsThere() { #expect(Self.corpus.count >= 4) }

  @Test(arguments: 0..<500) func anyBytesAreReadToTheEnd(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var bytes = try #require(Self.corpus.randomElement(using: &random))
    let special = Array("\",\n\r\0".utf8) + [0xEF, 0xBB, 0xBF, 0xFF]
    for _ in 0..<Int.random(in: 1...20, using: &random) {
      let place = Int.random(in: 0...bytes.count, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes.insert(special.randomElement(using: &random) ?? 0, at: place)
      case 1 where place < bytes.count: bytes.remove(at: place)
      default: bytes = Array(bytes[place...] + bytes[..<place])
      }
    }
    let whole = try records(bytes)
    #expect(zip(whole, whole.dropFirst()).allSatisfy { $0.line < $1.line }, "seed \(seed)")
    #expect(try records(bytes, chunkBytes: 2) == whole, "seed \(seed)")
  }
}

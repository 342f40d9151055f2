import API
import ProtobufFixtures
import Testing

@testable import Protobuf

/// Each thing that is refused before protobuf-c sees it, with the path of the field.
@Suite struct PreScanTests {
  /// Tag and length of a field with content.
  private func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    var writer = WireWriter()
    writer.bytes(number, content)
    return writer.bytes
  }

  private func failure<M: GeneratedMessage>(
    _ type: M.Type, _ bytes: [UInt8], limits: DecodingLimits = .standard
  ) -> String {
    bytes.withUnsafeBytes { buffer in
      do throws(DecodingFailure) {
        _ = try M(serialized: buffer, limits: limits)
        return "accepted"
      } catch {
        return error.description
      }
    }
  }

  @Test func invalidTextIsRefusedWithItsPath() {
    let request = field(1, field(5, field(2, [0xFF])))
    #expect(failure(CreatePartyRequest.self, request) == "party.person.given_name: invalid UTF-8")
    #expect(failure(Person.self, field(1, Array("a\0b".utf8))) == "family_name: holds a NUL character")
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE4, 0xBD], [0xE4, 0xBD, 0x41], [0xF0, 0x9F, 0x99],
    ] as [[UInt8]])
  func illFormedSequencesAreFoundWhereverTheyStand(sequence: [UInt8]) {
    for before in 0..<17 {
      let text = [UInt8](repeating: 0x61, count: before) + sequence
      #expect(failure(Person.self, field(1, text)) == "family_name: invalid UTF-8")
      #expect(failure(Person.self, field(1, text + Array("abcdefghi".utf8))) == "family_name: invalid UTF-8")
    }
  }

  @Test func everyScalarOfUnicodeIsTaken() {
    // All of one and two bytes, both ends of each longer range, and every 31st between.
    let values = [1...0x900, 0xD700...0xE0FF, 0xFF00...0x10100, 0x10FF00...0x10FFFF].joined().map { UInt32($0) }
    for value in values + Array(stride(from: 0x900, to: 0x10FFFF, by: 31)) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let problem = Array("ab\(scalar)".utf8).withUnsafeBytes { bytes in
        bytes.baseAddress.map { textProblem($0, $0 + bytes.count) } ?? "empty"
      }
      if problem != nil { Issue.record("U+\(String(value, radix: 16)) is refused") }
    }
  }

  @Test func depthIsLimited() {
    func nested(_ depth: Int) -> [UInt8] { (1..<depth).reduce([]) { inner, _ in field(2, inner) } }
    #expect(failure(Node.self, nested(100)) == "accepted")
    #expect(failure(Node.self, nested(101)).hasSuffix("next: nested deeper than 100 messages"))
  }

  @Test(
    arguments: [
      ([0x53], "groups are not supported"), ([0x54], "groups are not supported"), ([0x56], "invalid wire type"),
      ([0x00], "invalid tag"), ([0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "invalid tag"), ([0x80], "varint is cut off"),
      ([0xF8, 0xFF, 0xFF, 0xFF, 0x1F], "invalid tag"),
    ] as [([UInt8], String)])
  func brokenTagsAreRefused(bytes: [UInt8], reason: String) {
    let described = failure(CalendarDate.self, bytes)
    #expect(described.hasSuffix(": \(reason)"), "\(described)")
  }

  @Test func brokenValuesAreRefusedWithTheirField() {
    #expect(failure(CalendarDate.self, [0x08, 0x80]) == "year: varint is cut off")
    let long: [UInt8] = [0x08] + [UInt8](repeating: 0xFF, count: 10) + [0x01]
    #expect(failure(CalendarDate.self, long) == "year: varint is too long")
    #expect(failure(CalendarDate.self, [0x0A, 0x00]) == "year: has the wrong wire type")
    #expect(failure(Person.self, [0x08, 0x01]) == "family_name: has the wrong wire type")
    #expect(failure(Person.self, [0x0A, 0x05, 0x61]) == "family_name: length goes beyond the message")
    #expect(
      failure(Person.self, [0x0A, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0x61])
        == "family_name: length goes beyond the message")
    #expect(failure(Scalars.self, [0x0D, 1, 2]) == "one_double: has the wrong wire type")
    #expect(failure(Scalars.self, [0x09, 1, 2]) == "one_double: value is cut off")
    #expect(failure(Scalars.self, [0x15, 1, 2, 3]) == "one_float: value is cut off")
    #expect(failure(Scalars.self, field(17, [1, 2, 3])) == "many_double: packed elements are cut off")
    #expect(failure(Scalars.self, field(19, [0x80])) == "many_int32: varint is cut off")
  }

  @Test func aMessageFieldThatOccursTwiceIsRefused() {
    #expect(failure(Party.self, field(13, []) + field(13, [])) == "create_time: occurs more than once")
    #expect(failure(Party.self, field(13, []) + field(14, []) + field(5, []) + field(6, [])) == "accepted")
    #expect(failure(Wide.self, field(70, []) + field(6, []) + field(70, [])) == "w70: occurs more than once")
    #expect(failure(Wide.self, (1...70).flatMap { field($0, []) }) == "accepted")
  }

  @Test func fieldsAreLimited() {
    let many = (0..<20).flatMap { _ in field(1, []) }
    #expect(failure(Node.self, many, limits: DecodingLimits(maximumFieldCount: 20)) == "accepted")
    #expect(failure(Node.self, many, limits: DecodingLimits(maximumFieldCount: 19)).hasSuffix("more than 19 fields"))
  }

  @Test func aSmallMessageThatNeedsMuchMemoryIsRefused() {
    // Two bytes each, and at least a whole structure and a pointer in memory.
    var many = [UInt8](repeating: 0, count: 2_000_000)
    for index in stride(from: 0, to: many.count, by: 2) { many[index] = 0x1A }
    #expect(failure(Node.self, many) == "children: needs more than 67108864 bytes of memory")
  }

  @Test func memoryStaysWithinTheEstimate() throws {
    let types = try KnownGenerated.all()
    var checked = 0
    for (type, wires) in types {
      for wire in wires {
        let (estimate, used) = try type.measure(wire)
        #expect(used <= estimate, "\(type.fullName): \(used) bytes used, \(estimate) estimated")
        checked += 1
      }
    }
    #expect(checked > 1_000)
  }

  @Test func runningOutOfMemoryAtAnyPointIsCleanlyRefused() throws {
    let party = try RoundTripTests.party.serialized()
    let (estimate, used) = try Party.measure(party)
    #expect(used <= estimate)
    for maximum in stride(from: 0, to: used, by: 16) { #expect(Party.unpacks(party, maximumBytes: maximum) == false) }
    #expect(Party.unpacks(party, maximumBytes: used))
  }
}

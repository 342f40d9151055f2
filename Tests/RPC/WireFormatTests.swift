import Core
import RPCCore
import Testing

@testable import RPCTransport

@Suite("The wire's small formats")
struct WireFormatTests {
  @Test("Any cutting of a stream gives the same messages", arguments: 0..<50)
  func deframer(_ seed: UInt64) throws {
    let random = SeededRandom(seed)
    let messages = (0..<random.below(20)).map { _ in random.bytes([0, 1, 5, 300, 70_000][random.below(5)]) }
    let stream = messages.flatMap { message in
      var bytes = framed(message)
      setFramePrefix(&bytes, flag: 0)
      return bytes
    }
    var deframer = MessageDeframer(maximumMessageBytes: 70_000)
    var received: [[UInt8]] = []
    var position = 0
    while position < stream.count {
      let end = min(stream.count, position + 1 + random.below([1, 4, 100, 100_000][random.below(4)]))
      try stream[position..<end].withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
        try deframer.receive(bytes) { message, _ in received.append(message) }
      }
      position = end
    }
    #expect(received == messages)
    #expect(!deframer.isMidMessage)
  }

  @Test("A prefix that lies takes no memory and is refused by its kind")
  func lyingPrefix() {
    func code(_ bytes: [UInt8]) -> StatusCode? {
      var deframer = MessageDeframer(maximumMessageBytes: 100)
      do {
        try bytes.withUnsafeBytes { bytes in try deframer.receive(bytes) { _, _ in } }
        return nil
      } catch {
        return (error as? RPCError)?.code
      }
    }
    #expect(code([0, 0, 0, 0, 101]) == .resourceExhausted)
    #expect(code([0, 255, 255, 255, 255]) == .resourceExhausted)
    #expect(code([1, 0, 0, 0, 0]) == .internal)
    #expect(code([7, 0, 0, 0, 0]) == .internal)
    #expect(code([0, 0, 0, 0, 100]) == nil)
  }

  @Test("A timeout is rounded up to what eight digits can say, and read in all units")
  func timeout() {
    #expect(GRPCTimeout.format(nanoseconds: 0) == "0n")
    #expect(GRPCTimeout.format(nanoseconds: 99_999_999) == "99999999n")
    #expect(GRPCTimeout.format(nanoseconds: 100_000_000) == "100000u")
    #expect(GRPCTimeout.format(nanoseconds: .max) == "5124096H")
    let random = SeededRandom(1)
    for _ in 0..<1_000 {
      let nanoseconds = random.next() >> UInt64(random.below(64))
      let text = GRPCTimeout.format(nanoseconds: nanoseconds)
      #expect(text.count <= 9)
      let read = GRPCTimeout.nanoseconds(text) ?? 0
      #expect(read >= nanoseconds)
      #expect(Double(read) <= Double(nanoseconds) * 1.001 + 1 || text.hasSuffix("H"))
    }
    for (text, nanoseconds) in [
      "7n": 7, "7u": 7_000, "7m": 7_000_000, "7S": 7_000_000_000, "7M": 420_000_000_000, "7H": 25_200_000_000_000,
      "99999999H": UInt64.max,
    ] { #expect(GRPCTimeout.nanoseconds(text) == nanoseconds) }
    for text in ["", "1", "n", "123456789n", "1x", "-1n", "1.5S", " 1n", "１n", "1N"] {
      #expect(GRPCTimeout.nanoseconds(text) == nil, "\(text)")
    }
  }

  @Test("Percent encoding gives back any text; a limit cuts between characters")
  func percentEncoding() {
    let random = SeededRandom(2)
    for _ in 0..<500 {
      let scalars = (0..<random.below(40)).compactMap { _ in
        UnicodeScalar(UInt32(random.next() >> UInt64(43 + random.below(14))))
      }
      let text = String(String.UnicodeScalarView(scalars))
      let encoded = PercentEncoding.encode(text)
      #expect(encoded.utf8.allSatisfy { (0x20...0x7E).contains($0) })
      #expect(PercentEncoding.decode(encoded).unicodeScalars.elementsEqual(text.unicodeScalars))
      let limit = random.below(60)
      let cut = PercentEncoding.encode(text, maximumBytes: limit)
      #expect(cut.utf8.count <= limit)
      #expect(encoded.hasPrefix(cut))
      #expect(text.unicodeScalars.starts(with: PercentEncoding.decode(cut).unicodeScalars))
    }
    for odd in ["%", "%4", "%zz", "100%", "%+5", "%-0", "a%2"] { #expect(PercentEncoding.decode(odd) == odd) }
    #expect(PercentEncoding.decode("%e2%98%BA") == "☺")
  }

  @Test("A header block keeps its fields in order and finds the first of a name")
  func headerBlock() {
    var block = HeaderBlock([("a", "1"), ("b", ""), ("a", "2")])
    block.append(name: [0x63], value: Array("3".utf8))
    #expect(block.count == 4)
    #expect(block.listSize == 4 * 32 + 4 + 3)
    #expect(block.first("a") == "1")
    #expect(block.first("b") == "")
    #expect(block.first("d") == nil)
    var seen: [String] = []
    block.forEach { seen.append(String(decoding: $0, as: UTF8.self) + "=" + String(decoding: $1, as: UTF8.self)) }
    #expect(seen == ["a=1", "b=", "a=2", "c=3"])
    #expect(block.withNghttp2 { _, count in count } == 4)
    #expect(HeaderBlock().withNghttp2 { _, count in count } == 0)
  }

  @Test("Details of a status come back, and garbage gives no details and no crash")
  func statusDetails() throws {
    let violations = [FieldViolation("a.b", "must be set"), FieldViolation("", "☺")]
    let encoded = try #require(StatusDetails.encode(.badRequest(violations)))
    let decoded = try #require(StatusDetails.decode(encoded).first)
    #expect(decoded.typeName == "google.rpc.BadRequest")
    #expect(StatusDetails.violations(decoded) == violations)
    let random = SeededRandom(3)
    for _ in 0..<2_000 {
      var bytes = random.below(2) == 0 ? encoded : random.bytes(random.below(60))
      if !bytes.isEmpty { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
      bytes.removeLast(random.below(bytes.count + 1))
      for detail in StatusDetails.decode(bytes) { _ = StatusDetails.violations(detail) }
    }
    for huge: [UInt8] in [[0x1A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], [9, 1], [0x1D], [0xFF]] {
      #expect(StatusDetails.decode(huge).isEmpty)
    }
  }
}

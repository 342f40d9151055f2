import Core
import Protobuf

/// Makes random messages in the wire format from their descriptors: valid ones, but written as a strange peer might, with
/// fields in any order, lists packed or not, numbers given twice, unknown fields.
public struct RandomMessage {
  /// Where the randomness comes from.
  public var generator: SeededGenerator
  private let pool: DescriptorPool
  private static let texts = [
    "", "a", "王小明", "naïve", "\u{10FFFF}", "🙂🙃", "line\nbreak\t\"quoted\" \\", "\u{7F}\u{1}", "保险合同编号 0001",
    String(repeating: "長い", count: 40),
  ]

  /// Messages of a pool's types.
  public init(pool: DescriptorPool, seed: UInt64) {
    self.pool = pool
    generator = SeededGenerator(seed: seed)
  }

  /// A message of this type.
  public mutating func wire(of message: ProtoMessage, depth: Int = 0) -> [UInt8] {
    if let special = wellKnown(message, depth: depth) { return special }
    var parts: [[UInt8]] = []
    var takenOneofs: Set<Int> = []
    for field in message.fields where !generator.oneIn(3) {
      if field.type == .message, depth > 4 || (depth > 0 && generator.oneIn(2)) { continue }
      if let oneof = field.oneofIndex, !generator.oneIn(4) || !takenOneofs.insert(oneof).inserted { continue }
      var writer = WireWriter()
      write(field, to: &writer, depth: depth)
      parts.append(writer.bytes)
    }
    // Python drops a map entry with an unknown field as a whole.
    if !message.isMapEntry, generator.oneIn(4) { parts.append(unknownField(of: message)) }
    if generator.oneIn(4) { parts.shuffle(using: &generator) }
    return Array(parts.joined())
  }

  private mutating func write(_ field: ProtoField, to writer: inout WireWriter, depth: Int) {
    guard field.isRepeated else {
      // A number that comes twice counts as the last one. A message must not: see `preScan`.
      if field.type != .message, field.oneofIndex == nil, generator.oneIn(8) {
        writeOne(field, to: &writer, depth: depth)
      }
      return writeOne(field, to: &writer, depth: depth)
    }
    let count = generator.oneIn(20) ? 40 : Int.random(in: 0..<4, using: &generator)
    if field.type.wireType != 2, !generator.oneIn(3) {
      var numbers = WireWriter()
      for _ in 0..<count { writeNumber(field, nil, to: &numbers) }
      writer.bytes(field.number, numbers.bytes)
    } else {
      for _ in 0..<count { writeOne(field, to: &writer, depth: depth) }
    }
  }

  private mutating func writeOne(_ field: ProtoField, to writer: inout WireWriter, depth: Int) {
    switch field.type {
    case .string: writer.string(field.number, text())
    case .bytes: writer.bytes(field.number, (0..<Int.random(in: 0..<40, using: &generator)).map { _ in byte() })
    case .message:
      if let index = field.typeIndex { writer.bytes(field.number, wire(of: pool.messages[index], depth: depth + 1)) }
    default: writeNumber(field, field.number, to: &writer)
    }
  }

  /// With its tag, or without for a packed list.
  private mutating func writeNumber(_ field: ProtoField, _ tag: Int?, to writer: inout WireWriter) {
    let edges: [UInt64] = [0, 1, 127, 128, UInt64(Int32.max), UInt64(Int64.max), .max]
    let any = generator.oneIn(2) ? edges[Int.random(in: 0..<edges.count, using: &generator)] : generator.next() >> 20
    switch field.type.wireType {
    case 1:
      let bits = field.type == .double ? Double(Int32(truncatingIfNeeded: any)).magnitude.bitPattern : any
      if let tag { writer.fixed64(tag, bits) } else { writer.fixed64(bits) }
    case 5:
      let bits =
        field.type == .float
        ? Float(Int16(truncatingIfNeeded: any)).magnitude.bitPattern : UInt32(truncatingIfNeeded: any)
      if let tag { writer.fixed32(tag, bits) } else { writer.fixed32(bits) }
    default:
      let bits = varint(any, field)
      if let tag { writer.varint(tag, bits) } else { writer.varint(bits) }
    }
  }

  private mutating func varint(_ any: UInt64, _ field: ProtoField) -> UInt64 {
    switch field.type {
    case .bool: return any & 1
    case .uint32, .sint32: return any & 0xFFFF_FFFF
    case .int32: return UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: any)))
    case .enumeration:
      let known = field.typeIndex.flatMap { pool.enums[$0].values.randomElement(using: &generator)?.number }
      let number = generator.oneIn(5) ? Int32(truncatingIfNeeded: any) : known ?? 0
      return UInt64(bitPattern: Int64(number))
    default: return any
    }
  }

  private mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: generator.next()) }

  private mutating func text() -> String { Self.texts[Int.random(in: 0..<Self.texts.count, using: &generator)] }

  private mutating func unknownField(of message: ProtoMessage) -> [UInt8] {
    var writer = WireWriter()
    let number = Int.random(in: 900...100_000, using: &generator)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: writer.varint(number, generator.next())
    case 1: writer.fixed32(number, 7)
    case 2: writer.fixed64(number, 7)
    default: writer.bytes(number, [byte(), byte()])
    }
    return writer.bytes
  }

  /// Messages whose JSON form restricts what they may hold.
  private mutating func wellKnown(_ message: ProtoMessage, depth: Int) -> [UInt8]? {
    var writer = WireWriter()
    switch message.fullName {
    case "google.protobuf.Timestamp":
      writer.varint(1, UInt64(bitPattern: Int64.random(in: -62_135_596_800...253_402_300_799, using: &generator)))
      writer.varint(2, generator.oneIn(2) ? 0 : UInt64.random(in: 0..<1_000_000_000, using: &generator))
    case "google.protobuf.Duration":
      let seconds = Int64.random(in: -315_576_000_000...315_576_000_000, using: &generator)
      let nanos = Int64.random(in: 0..<1_000, using: &generator) * (generator.oneIn(2) ? 1 : 1_000_000)
      writer.varint(1, UInt64(bitPattern: seconds))
      writer.varint(2, UInt64(bitPattern: seconds < 0 ? -nanos : nanos))
    case "google.protobuf.FieldMask":
      for _ in 0..<Int.random(in: 0..<3, using: &generator) { writer.string(1, "party.given_name") }
    case "google.protobuf.Any":
      let candidates = pool.messages.filter { !$0.isMapEntry && $0.fullName.hasPrefix("mainstay.customer.") }
      guard depth < 4, let content = candidates.randomElement(using: &generator) else { return [] }
      writer.string(1, "type.googleapis.com/\(content.fullName)")
      writer.bytes(2, wire(of: content, depth: depth + 2))
    default: return nil
    }
    return writer.bytes
  }
}

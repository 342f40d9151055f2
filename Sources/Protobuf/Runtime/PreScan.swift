internal import CProtobufC

/// Checks a message before protobuf-c unpacks it: everything that protobuf-c does not check or handles wrongly.
///
/// protobuf-c 1.4.1 recurses without limit, takes any bytes as a string, cuts strings at a NUL, merges a message field that
/// occurs twice by losing fields of the first, and takes memory without bound. One pass, no allocation unless it fails.
func preScan(
  _ bytes: UnsafeRawBufferPointer, as descriptor: UnsafePointer<ProtobufCMessageDescriptor>, limits: DecodingLimits
) throws(DecodingFailure) {
  _ = try estimateArena(bytes, as: descriptor, limits: limits)
}

/// The same, and gives what unpacking takes from the arena at most, in bytes.
func estimateArena(
  _ bytes: UnsafeRawBufferPointer, as descriptor: UnsafePointer<ProtobufCMessageDescriptor>, limits: DecodingLimits
) throws(DecodingFailure) -> Int {
  var scan = PreScan(limits: limits)
  do throws(Refusal) {
    // An empty buffer may have no address; no byte is read from this one then.
    let start = bytes.baseAddress ?? UnsafeRawPointer(descriptor)
    try scan.message(start, start + bytes.count, descriptor, depth: 1)
  } catch {
    throw DecodingFailure(message: String(cString: descriptor.pointee.name), path: error.path, reason: error.reason)
  }
  return scan.arenaBytes
}

/// A failure on its way out, collecting the path.
private struct Refusal: Error {
  var path: String
  let reason: String

  init(_ reason: String) { (path, self.reason) = ("", reason) }

  /// The same, seen from one message further out.
  func inside(_ field: UnsafePointer<ProtobufCFieldDescriptor>) -> Refusal {
    var outer = self
    let name = String(cString: field.pointee.name)
    outer.path = path.isEmpty ? name : "\(name).\(path)"
    return outer
  }
}

private typealias Pointer = UnsafeRawPointer

private struct PreScan {
  /// Size of protobuf-c's ScannedMember; it keeps one per field of a message, 16 on the stack, the rest in slabs that double.
  static let scannedMemberBytes = 32
  static let scannedMembersOnStack = 16

  let limits: DecodingLimits
  var arenaBytes = 0
  var fieldCount = 0

  init(limits: DecodingLimits) { self.limits = limits }

  /// Counts memory; whether it is too much is seen at the end of each message. Sizes come from lengths within the bytes, so
  /// that the sum cannot overflow.
  @inline(__always)
  mutating func charge(_ size: Int) {
    arenaBytes += (size + Arena.alignment - 1) & ~(Arena.alignment - 1)
  }

  mutating func message(
    _ start: Pointer, _ end: Pointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, depth: Int
  ) throws(Refusal) {
    guard depth <= limits.maximumDepth else { throw Refusal("nested deeper than \(limits.maximumDepth) messages") }
    // Its bit map of required fields goes to the allocator from 129 fields on.
    charge(descriptor.pointee.sizeof_message + Int(descriptor.pointee.n_fields) / 8)
    var cursor = Cursor(at: start, end: end)
    var seen = SeenFields()
    var hint = 0
    var count = 0
    while cursor.at < end {
      let tag = try cursor.tag()
      count += 1
      if let index = index(of: tag >> 3, in: descriptor, hint: &hint) {
        let field = descriptor.pointee.fields + index
        do throws(Refusal) {
          if field.pointee.type == PROTOBUF_C_TYPE_MESSAGE, field.pointee.label != PROTOBUF_C_LABEL_REPEATED {
            guard seen.insert(index) else { throw Refusal("occurs more than once") }
          }
          try known(field, wireType: tag & 7, &cursor, depth: depth)
        } catch {
          throw error.inside(field)
        }
      } else {
        // 24 bytes of ProtobufCMessageUnknownField, the array of them rounded up, and a copy of the content.
        let from = cursor.at
        try cursor.skip(wireType: tag & 7)
        charge(32)
        charge(cursor.at - from)
      }
    }
    fieldCount += count
    guard fieldCount <= limits.maximumFieldCount else { throw Refusal("more than \(limits.maximumFieldCount) fields") }
    if count > PreScan.scannedMembersOnStack { charge(2 * count * PreScan.scannedMemberBytes) }
    guard arenaBytes <= limits.maximumArenaBytes else {
      throw Refusal("needs more than \(limits.maximumArenaBytes) bytes of memory")
    }
  }

  /// One occurrence of a field that the message has.
  @inline(__always)
  private mutating func known(
    _ field: UnsafePointer<ProtobufCFieldDescriptor>, wireType: UInt32, _ cursor: inout Cursor, depth: Int
  ) throws(Refusal) {
    let type = field.pointee.type
    let repeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
    // An element takes 4 to 16 bytes; 16 for each also covers rounding up the array.
    if repeated { charge(16) }
    switch type {
    case PROTOBUF_C_TYPE_STRING:
      let (start, end) = try cursor.content(wireType: wireType)
      if let problem = textProblem(start, end) { throw Refusal(problem) }
      charge(end - start + 1)
    case PROTOBUF_C_TYPE_BYTES:
      let (start, end) = try cursor.content(wireType: wireType)
      charge(end - start)
    case PROTOBUF_C_TYPE_MESSAGE:
      let (start, end) = try cursor.content(wireType: wireType)
      guard let inner = field.pointee.descriptor else { throw Refusal("has no descriptor") }
      try message(
        start, end, inner.assumingMemoryBound(to: ProtobufCMessageDescriptor.self), depth: depth + 1)
    default:
      let expected = scalarWireType(type)
      if repeated, wireType == 2 {
        try packed(expected, &cursor)
      } else {
        guard wireType == expected else { throw Refusal("has the wrong wire type") }
        try cursor.skip(wireType: wireType)
      }
    }
  }

  private mutating func packed(_ elementWireType: UInt32, _ cursor: inout Cursor) throws(Refusal) {
    let (start, end) = try cursor.content(wireType: 2)
    var count = end - start
    if elementWireType == 0 {
      var elements = Cursor(at: start, end: end)
      count = 0
      while elements.at < end {
        _ = try elements.varint()
        count += 1
      }
      charge(count * 8)
    } else {
      guard count % (elementWireType == 1 ? 8 : 4) == 0 else { throw Refusal("packed elements are cut off") }
      charge(count)
    }
  }

  /// Position of a field in the descriptor. Fields mostly come in order, so the last place and the one behind it come first.
  private func index(
    of number: UInt32, in descriptor: UnsafePointer<ProtobufCMessageDescriptor>, hint: inout Int
  ) -> Int? {
    let fields = descriptor.pointee.fields
    let count = Int(descriptor.pointee.n_fields)
    guard let fields else { return nil }
    if hint < count, fields[hint].id == number { return hint }
    if hint + 1 < count, fields[hint + 1].id == number {
      hint += 1
      return hint
    }
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].id < number { low = middle + 1 } else { high = middle }
    }
    guard low < count, fields[low].id == number else { return nil }
    hint = low
    return low
  }
}

/// Wire type of a number on its own: 0 varint, 1 eight bytes, 5 four bytes.
private func scalarWireType(_ type: ProtobufCType) -> UInt32 {
  switch type {
  case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT: 5
  case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE: 1
  default: 0
  }
}

/// Which message fields a message had already. The generator refuses messages with more fields than fit.
private struct SeenFields {
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  mutating func insert(_ index: Int) -> Bool {
    let bit = UInt64(1) << UInt64(index & 63)
    let known = index < 64 ? low & bit : high & bit
    if index < 64 { low |= bit } else { high |= bit }
    return known == 0
  }
}

/// A place in the wire bytes, with every step checked against the end.
private struct Cursor {
  var at: Pointer
  let end: Pointer

  @inline(__always)
  mutating func varint() throws(Refusal) -> UInt64 {
    if at < end {
      let first = at.load(as: UInt8.self)
      if first < 0x80 {
        at += 1
        return UInt64(first)
      }
    }
    return try longVarint()
  }

  private mutating func longVarint() throws(Refusal) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < end {
      let byte = at.load(as: UInt8.self)
      at += 1
      guard shift < 63 || byte <= 1 else { throw Refusal("varint is too long") }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw Refusal("varint is cut off")
  }

  @inline(__always)
  mutating func tag() throws(Refusal) -> UInt32 {
    let start = at
    let value = try varint()
    // protobuf-c reads tags of five bytes at most.
    guard value <= UInt64(UInt32.max), value >> 3 != 0, at - start <= 5 else { throw Refusal("invalid tag") }
    return UInt32(truncatingIfNeeded: value)
  }

  /// The content of a field with a length.
  @inline(__always)
  mutating func content(wireType: UInt32) throws(Refusal) -> (Pointer, Pointer) {
    guard wireType == 2 else { throw Refusal("has the wrong wire type") }
    let lengthStart = at
    let length = try varint()
    // protobuf-c reads lengths of five bytes at most.
    guard length <= UInt64(end - at), at - lengthStart <= 5 else { throw Refusal("length goes beyond the message") }
    let start = at
    at += Int(length)
    return (start, at)
  }

  mutating func skip(wireType: UInt32) throws(Refusal) {
    switch wireType {
    case 0: _ = try varint()
    case 1: try skip(8)
    case 2: _ = try content(wireType: 2)
    case 5: try skip(4)
    case 3, 4: throw Refusal("groups are not supported")
    default: throw Refusal("invalid wire type")
    }
  }

  private mutating func skip(_ count: Int) throws(Refusal) {
    guard end - at >= count else { throw Refusal("value is cut off") }
    at += count
  }
}

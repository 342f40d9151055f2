import CNghttp2
import Glibc

/// The fields of one HEADERS frame in order, in one flat buffer: no string is made of a field that nobody asks for.
public struct HeaderBlock: Sendable {
  struct Field {
    var offset: Int32
    var nameLength: Int32
    var valueLength: Int32
    /// nghttp2's flags, for example that no table may keep the value.
    var flags = UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)
  }

  /// Room for the headers of most calls, so that it is asked for once.
  private static let usualFields = 16
  private static let usualBytes = 512

  private(set) var bytes: [UInt8] = []
  private(set) var fields: [Field] = []

  /// No fields.
  public init() {}

  /// Fields from text, for example [(":status", "200")].
  public init(_ fields: [(String, String)]) {
    for (name, value) in fields { append(name, value) }
  }

  /// How many fields.
  public var count: Int { fields.count }

  /// Size as HTTP/2 counts it (RFC 9113, 6.5.2): 32 bytes a field on top of names and values.
  public var listSize: Int { bytes.count + 32 * fields.count }

  /// Adds a field of text; the name is lower case.
  public mutating func append(_ name: String, _ value: String) {
    append(name: name.utf8, value: value.utf8)
  }

  /// Adds a field of bytes; the name is lower case.
  public mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>) {
    if fields.capacity == 0 { reserveUsual() }
    fields.append(Field(offset: Int32(bytes.count), nameLength: Int32(name.count), valueLength: Int32(value.count)))
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
  }

  /// Adds a field whose value is another one on each call: it takes no place in the compression's table, where it would push out
  /// what returns.
  public mutating func append(once name: StaticString, _ value: UnsafeRawBufferPointer) {
    append(
      UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value,
      flags: UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue))
  }

  /// Adds a field of text whose value is another one on each call.
  public mutating func append(once name: StaticString, _ value: String) {
    var value = value
    value.withUTF8 { append(once: name, UnsafeRawBufferPointer($0)) }
  }

  mutating func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, flags: UInt8 = 0) {
    if fields.capacity == 0 { reserveUsual() }
    fields.append(
      Field(
        offset: Int32(bytes.count), nameLength: Int32(name.count), valueLength: Int32(value.count), flags: flags))
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: value)
  }

  private mutating func reserveUsual() {
    fields.reserveCapacity(HeaderBlock.usualFields)
    bytes.reserveCapacity(HeaderBlock.usualBytes)
  }

  /// Forgets the fields and keeps the memory, unless somebody else has this block too.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    fields.removeAll(keepingCapacity: true)
  }

  /// Calls `body` with each field's name and value.
  public func forEach(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
    bytes.withUnsafeBytes { buffer in
      for field in fields {
        let value = Int(field.offset + field.nameLength)
        body(
          UnsafeRawBufferPointer(rebasing: buffer[Int(field.offset)..<value]),
          UnsafeRawBufferPointer(rebasing: buffer[value..<value + Int(field.valueLength)]))
      }
    }
  }

  /// The first value of this name.
  public func first(_ name: StaticString) -> String? {
    var found: String?
    forEach { fieldName, value in
      if found == nil, fieldName.equals(name) { found = String(decoding: value, as: UTF8.self) }
    }
    return found
  }

  /// These fields but for those whose names begin so; cheap when there are none.
  public func without(prefix: StaticString) -> HeaderBlock {
    var hasAny = false
    forEach { name, _ in hasAny = hasAny || name.starts(with: prefix) }
    guard hasAny else { return self }
    var rest = HeaderBlock()
    var place = 0
    forEach { name, value in
      if !name.starts(with: prefix) { rest.append(name, value, flags: fields[place].flags) }
      place += 1
    }
    return rest
  }

  /// Calls `body` with the fields as nghttp2 takes them; they are valid until it returns.
  func withNghttp2<Result>(_ body: (UnsafeMutablePointer<nghttp2_nv>?, Int) -> Result) -> Result {
    bytes.withUnsafeBufferPointer { buffer in
      withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: fields.count) { values in
        for (index, field) in fields.enumerated() {
          let name = UnsafeMutablePointer(mutating: buffer.baseAddress)?.advanced(by: Int(field.offset))
          values.initializeElement(
            at: index,
            to: nghttp2_nv(
              name: name, value: name?.advanced(by: Int(field.nameLength)), namelen: Int(field.nameLength),
              valuelen: Int(field.valueLength), flags: field.flags))
        }
        return body(values.baseAddress, fields.count)
      }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether these are the bytes of a constant.
  public func equals(_ constant: StaticString) -> Bool {
    count == constant.utf8CodeUnitCount && starts(with: constant)
  }

  /// Whether they begin with a constant.
  public func starts(with constant: StaticString) -> Bool {
    guard let baseAddress, count >= constant.utf8CodeUnitCount else { return constant.utf8CodeUnitCount == 0 }
    return memcmp(baseAddress, constant.utf8Start, constant.utf8CodeUnitCount) == 0
  }
}

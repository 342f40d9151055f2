import Protobuf

/// What must hold for any bytes whatever: they are refused, or they are a message that survives writing and reading.
/// Throws if not; a crash is the other way to fail. Returns whether they were a message.
@discardableResult
public func checkAnyBytes(_ bytes: [UInt8], as name: String, types: KnownTypes) throws -> Bool {
  let transcoder = JSONTranscoder(try types.pool(of: name))
  // JSON has other limits than the wire (a time after the year 9999), so each may refuse what the other takes.
  if let json = try? transcoder.decode(bytes, as: name),
    let again = try? transcoder.encode(json: Array(json.utf8), as: name)
  {
    guard try transcoder.decode(again, as: name) == json else {
      throw BrokenProperty(name: name, bytes: bytes, what: "JSON")
    }
  }
  _ = try? transcoder.encode(json: bytes, as: name)
  _ = try? DescriptorPool(fileDescriptorSet: bytes)
  guard let written = try? types.reencode(bytes, as: name) else { return false }
  // Bytes, not values, since NaN is not equal to itself.
  guard try types.reencode(written, as: name) == written else {
    throw BrokenProperty(name: name, bytes: bytes, what: "wire format")
  }
  return true
}

/// Bytes that a property does not hold for.
public struct BrokenProperty: Error {
  let name: String
  let bytes: [UInt8]
  let what: String
}

internal import CProtobufC

/// What the generator writes for a message: the way between the Swift value and protobuf-c's structure of it.
///
/// The pointers are raw so that users of a message do not see C types.
public protocol GeneratedMessage: Message {
  /// protobuf-c's `ProtobufCMessageDescriptor` of the message; lives as long as the process.
  static var cDescriptor: UnsafeRawPointer { get }

  /// Takes the fields out of an unpacked C structure of this type.
  init(cMessage: UnsafeRawPointer)

  /// Builds the C structure in the arena, strings included.
  func cMessage(in arena: Arena) throws(EncodingFailure) -> UnsafeMutableRawPointer
}

extension GeneratedMessage {
  /// Checks the bytes, unpacks them and takes the fields.
  public init(serialized bytes: UnsafeRawBufferPointer) throws(DecodingFailure) {
    try self.init(serialized: bytes, limits: .standard)
  }

  /// Reads the wire format under other limits than the standard ones.
  public init(serialized bytes: UnsafeRawBufferPointer, limits: DecodingLimits) throws(DecodingFailure) {
    let descriptor = Self.cDescriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
    try preScan(bytes, as: descriptor, limits: limits)
    self = try Arena.withThreadArena(maximumBytes: limits.maximumArenaBytes) { arena throws(DecodingFailure) in
      guard let unpacked = arena.unpack(bytes, as: descriptor) else {
        throw DecodingFailure(message: Self.fullName, path: "", reason: "cannot be unpacked within the memory limit")
      }
      return Self(cMessage: unpacked)
    }
  }

  /// Builds the C structure and packs it.
  public func serialized(reservingPrefix prefix: Int) throws(EncodingFailure) -> [UInt8] {
    // What this process holds as a value already may be sent, whatever its size: the limit of a send is the transport's.
    try Arena.withThreadArena(maximumBytes: .max) { arena throws(EncodingFailure) in
      let message = try cMessage(in: arena).assumingMemoryBound(to: ProtobufCMessage.self)
      let size = protobuf_c_message_get_packed_size(message)
      guard prefix + size > 0 else { return [] }
      return [UInt8](unsafeUninitializedCapacity: prefix + size) { buffer, count in
        if let start = buffer.baseAddress {
          start.initialize(repeating: 0, count: prefix)
          count = prefix + protobuf_c_message_pack(message, start + prefix)
        }
      }
    }
  }
}

extension Arena {
  /// protobuf-c's unpack with this arena's memory; nil if the bytes are malformed or the arena's maximum is reached.
  func unpack(_ bytes: UnsafeRawBufferPointer, as descriptor: UnsafePointer<ProtobufCMessageDescriptor>)
    -> UnsafeMutablePointer<ProtobufCMessage>?
  {
    var allocator = ProtobufCAllocator(
      alloc: { state, size in
        state?.assumingMemoryBound(to: ArenaState.self).pointee.allocate(size)
      },
      free: { _, _ in },
      allocator_data: state)
    return protobuf_c_message_unpack(
      descriptor, &allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
  }
}

extension String {
  /// A string field of an unpacked message. protobuf-c leaves the pointer at its empty string, or NULL, if it is not set.
  public init(cField: UnsafePointer<CChar>?) {
    if let cField, cField.pointee != 0 { self.init(cString: cField) } else { self = "" }
  }
}

extension Array where Element == UInt8 {
  /// A bytes field of an unpacked message.
  public init(cField: UnsafeMutablePointer<UInt8>?, count: Int) {
    self.init(UnsafeBufferPointer(start: cField, count: cField == nil ? 0 : count))
  }
}

/// A message field of a message that holds itself, directly or by way of others: a struct cannot contain itself.
public final class Box<Value: Message>: Sendable {
  /// The message.
  public let value: Value

  /// Boxes a message.
  public init(_ value: Value) { self.value = value }
}

extension Box: Equatable {
  /// Whether the messages are equal.
  public static func == (left: Box, right: Box) -> Bool { left.value == right.value }
}

/// A protobuf message as a Swift value. The generator writes the types; see `GeneratedMessage` for how they reach the wire.
public protocol Message: Sendable, Equatable {
  /// All fields at their proto3 defaults.
  init()

  /// Full proto name, for example "mainstay.customer.v1.Party".
  static var fullName: String { get }

  /// Reads the wire format. Fields that the type does not know are dropped.
  init(serialized bytes: UnsafeRawBufferPointer) throws(DecodingFailure)

  /// Writes the wire format behind so many zero bytes, which are the caller's (gRPC puts its 5-byte frame header there).
  /// The same value always gives the same bytes: fields by number, map entries by key.
  func serialized(reservingPrefix prefix: Int) throws(EncodingFailure) -> [UInt8]
}

extension Message {
  /// What google.protobuf.Any calls the type, for example "type.googleapis.com/mainstay.customer.v1.Party".
  public static var typeURL: String { "type.googleapis.com/\(fullName)" }

  /// Reads the wire format. Fields that the type does not know are dropped.
  public init(serialized bytes: [UInt8]) throws(DecodingFailure) {
    self = try bytes.withUnsafeBufferPointer { buffer throws(DecodingFailure) in
      try Self(serialized: UnsafeRawBufferPointer(buffer))
    }
  }

  /// Reads the wire format. Fields that the type does not know are dropped.
  public init(serialized bytes: ArraySlice<UInt8>) throws(DecodingFailure) {
    self = try bytes.withUnsafeBufferPointer { buffer throws(DecodingFailure) in
      try Self(serialized: UnsafeRawBufferPointer(buffer))
    }
  }

  /// Writes the wire format.
  public func serialized() throws(EncodingFailure) -> [UInt8] {
    try serialized(reservingPrefix: 0)
  }
}

/// Bytes that are not a message of the type asked for, or one that goes over a limit. To the peer: INVALID_ARGUMENT.
public struct DecodingFailure: Error, Equatable, CustomStringConvertible {
  /// Full name of the message that was to be read.
  public let message: String
  /// Where, in proto names from the outermost message, for example "party.person.given_name"; empty if it is the message itself.
  public let path: String
  /// What is wrong, without any of the content.
  public let reason: String

  /// A failure at a path.
  public init(message: String, path: String, reason: String) {
    (self.message, self.path, self.reason) = (message, path, reason)
  }

  /// For example "party.person.given_name: invalid UTF-8".
  public var description: String { path.isEmpty ? "\(message): \(reason)" : "\(path): \(reason)" }
}

/// A value that has no wire form.
public struct EncodingFailure: Error, Equatable, CustomStringConvertible {
  /// The field: full name of its message and its proto name; for example "mainstay.customer.v1.Person.given_name".
  public let field: String
  /// What is wrong, without any of the content.
  public let reason: String

  /// A failure of a field.
  public init(field: String, reason: String) {
    (self.field, self.reason) = (field, reason)
  }

  /// For example "mainstay.customer.v1.Person.given_name: holds a NUL character".
  public var description: String { "\(field): \(reason)" }
}

/// What a received message may cost, checked before memory is taken for it. protobuf-c itself has no such limits and takes
/// up to about 16 times the size of the message.
public struct DecodingLimits: Sendable {
  /// Messages inside messages; protobuf's own implementations use 100.
  public var maximumDepth: Int
  /// Fields of the message and all messages in it. Elements of a packed field count as one.
  public var maximumFieldCount: Int
  /// Memory for the unpacked C structures in bytes: 16 times gRPC's 4 MiB message limit.
  public var maximumArenaBytes: Int

  /// Limits; what is left out has the default.
  public init(
    maximumDepth: Int = 100, maximumFieldCount: Int = 1_000_000, maximumArenaBytes: Int = 64 * 1024 * 1024
  ) {
    self.maximumDepth = maximumDepth
    self.maximumFieldCount = maximumFieldCount
    self.maximumArenaBytes = maximumArenaBytes
  }

  /// The limits that `Message.init(serialized:)` uses.
  public static let standard = DecodingLimits()
}

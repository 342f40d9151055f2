import Protobuf

/// The descriptor set without custom options and without the files that only declare them: protoc-c 1.4 would write C for
/// descriptor.proto, which is proto2, and code that needs it.
struct StrippedSet {
  /// Where in FileDescriptorProto messages with options are. Numbers of google/protobuf/descriptor.proto.
  private indirect enum Shape {
    /// Fields to descend into; fields to leave out.
    case message([Int: Shape], without: Set<Int>)
    /// An options message: standard options have numbers below 1,000.
    case options
  }

  private static let enumeration = Shape.message([2: .message([3: .options], without: []), 3: .options], without: [])
  private static let field = Shape.message([8: .options], without: [])
  private static let oneof = Shape.message([2: .options], without: [])
  private static let service = Shape.message([2: .message([4: .options], without: []), 3: .options], without: [])

  private static func message(depth: Int) -> Shape {
    var inner: [Int: Shape] = [2: field, 4: enumeration, 7: .options, 8: oneof]
    // Types are not nested deeper than this in any proto that people write.
    if depth < 16 { inner[3] = message(depth: depth + 1) }
    return .message(inner, without: [6])
  }

  private static let file = Shape.message(
    [4: message(depth: 0), 5: enumeration, 6: service, 8: .options], without: [7, 9])

  /// Names of the files that stay, as in the set.
  let fileNames: [String]
  /// The stripped FileDescriptorSet.
  let bytes: [UInt8]
  /// The whole FileDescriptorSet with options, without comments.
  let withoutSourceInfo: [UInt8]

  init(pool: DescriptorPool) throws {
    let dropped = Set(
      pool.files.filter { file in
        file.name == "google/protobuf/descriptor.proto"
          || file.extends.contains { $0.extendee.hasPrefix("google.protobuf.") && $0.extendee.hasSuffix("Options") }
      }.map(\.name))
    var stripped = WireWriter()
    var whole = WireWriter()
    for file in pool.files {
      let withoutComments = try StrippedSet.rewrite(file.bytes[...], .message([:], without: [9]))
      whole.bytes(1, withoutComments)
      guard !dropped.contains(file.name) else { continue }
      let withoutOptions = try StrippedSet.rewrite(file.bytes[...], StrippedSet.file)
      stripped.bytes(1, try StrippedSet.removeDependencies(dropped, from: withoutOptions))
    }
    fileNames = pool.files.map(\.name).filter { !dropped.contains($0) }
    bytes = stripped.bytes
    withoutSourceInfo = whole.bytes
  }

  private static func rewrite(_ bytes: ArraySlice<UInt8>, _ shape: Shape) throws -> [UInt8] {
    var reader = WireReader(bytes)
    var writer = WireWriter()
    while let (number, value) = try reader.next() {
      switch shape {
      case .options:
        if number < 1_000 { writer.copy(number, value) }
      case .message(let inner, let without):
        if without.contains(number) { continue }
        if let shape = inner[number], case .bytes(let content) = value {
          writer.bytes(number, try rewrite(content, shape))
        } else {
          writer.copy(number, value)
        }
      }
    }
    return writer.bytes
  }

  /// Leaves imports out, and moves the positions of public imports, which count imports.
  private static func removeDependencies(_ dropped: Set<String>, from file: [UInt8]) throws -> [UInt8] {
    var reader = WireReader(file)
    var writer = WireWriter()
    var positions: [UInt64: UInt64] = [:]
    var (before, after) = (UInt64(0), UInt64(0))
    var moved: [(Int, UInt64)] = []
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (3, .bytes(let name)):
        if !dropped.contains(String(decoding: name, as: UTF8.self)) {
          positions[before] = after
          after += 1
          writer.copy(number, value)
        }
        before += 1
      case (10, .varint(let position)), (11, .varint(let position)): moved.append((number, position))
      default: writer.copy(number, value)
      }
    }
    for (number, position) in moved {
      if let new = positions[position] { writer.varint(number, new) }
    }
    return writer.bytes
  }
}

extension WireWriter {
  /// A field as it was read.
  mutating func copy(_ number: Int, _ value: WireReader.Value) {
    switch value {
    case .varint(let value): varint(number, value)
    case .fixed64(let value): fixed64(number, value)
    case .fixed32(let value): fixed32(number, value)
    case .bytes(let content): bytes(number, content)
    }
  }
}

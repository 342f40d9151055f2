import API
import CProtobufC
import ProtobufFixtures
import ProtobufProperties

@testable import Protobuf

extension GeneratedMessage {
  /// What the pre-scan estimates and what unpacking then takes, in bytes.
  static func measure(_ wire: [UInt8]) throws -> (estimate: Int, used: Int) {
    let descriptor = cDescriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
    return try wire.withUnsafeBytes { bytes in
      let estimate = try estimateArena(bytes, as: descriptor, limits: .standard)
      let used = Arena.withThreadArena(maximumBytes: .max) { arena in
        _ = arena.unpack(bytes, as: descriptor)
        return arena.state.pointee.usedBytes
      }
      return (estimate, used)
    }
  }

  /// Whether unpacking succeeds with so much memory.
  static func unpacks(_ wire: [UInt8], maximumBytes: Int) -> Bool {
    let descriptor = cDescriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
    return wire.withUnsafeBytes { bytes in
      Arena.withThreadArena(maximumBytes: maximumBytes) { $0.unpack(bytes, as: descriptor) != nil }
    }
  }
}

/// Random messages of all types.
enum KnownGenerated {
  static func all() throws -> [(type: any GeneratedMessage.Type, wires: [[UInt8]])] {
    let types = try KnownTypes()
    return try types.names.compactMap { name in
      let pool = try types.pool(of: name)
      guard let message = pool.message(named: name), let type = types.types[name] as? any GeneratedMessage.Type else {
        return nil
      }
      var random = RandomMessage(pool: pool, seed: 7)
      return (type, (0..<20).map { _ in random.wire(of: message) })
    }
  }
}

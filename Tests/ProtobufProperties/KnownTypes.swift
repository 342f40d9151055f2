import API
import Protobuf
import ProtobufFixtures

/// All message types that are generated for the product and for the tests.
public struct KnownTypes: Sendable {
  /// Two pools: of the product's API and of the fixtures.
  public let pools: [DescriptorPool]
  /// The descriptor sets that the pools were read from.
  public let descriptorSets = [APIDescriptors.fileDescriptorSet, ProtobufFixturesDescriptors.fileDescriptorSet]
  /// Swift types by full name.
  public let types: [String: any Message.Type]
  /// Full names in order.
  public let names: [String]

  /// All of them.
  public init() throws {
    pools = [try APIDescriptors.pool.get(), try ProtobufFixturesDescriptors.pool.get()]
    let all = APIDescriptors.messageTypes + ProtobufFixturesDescriptors.messageTypes
    types = Dictionary(uniqueKeysWithValues: all.map { ($0.fullName, $0) })
    names = types.keys.sorted()
  }

  /// The pool that has the type.
  public func pool(of name: String) throws -> DescriptorPool {
    guard let pool = pools.first(where: { $0.message(named: name) != nil }) else { throw UnknownType(name: name) }
    return pool
  }

  /// Reads the bytes as a message of this type and writes it again.
  public func reencode(_ bytes: [UInt8], as name: String) throws -> [UInt8] {
    guard let type = types[name] else { throw UnknownType(name: name) }
    return try type.init(serialized: bytes).serialized()
  }

  /// Whether both are messages of this type with the same value.
  public func areEqual(_ left: [UInt8], _ right: [UInt8], as name: String) throws -> Bool {
    func compare<M: Message>(_ type: M.Type) throws -> Bool { try M(serialized: left) == M(serialized: right) }
    guard let type = types[name] else { throw UnknownType(name: name) }
    return try compare(type)
  }
}

/// A full name that no generated type has.
public struct UnknownType: Error {
  let name: String
}

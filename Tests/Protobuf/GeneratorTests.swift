import API
import Protobuf
import ProtobufFixtures
import Testing

@testable import mainstay_protogen

@Suite struct GeneratorTests {
  @Test(arguments: [
    ("customer_id", "customerID"), ("type_url", "typeURL"), ("id", "id"), ("party_ids", "partyIDs"),
    ("camelCase", "camelCase"),
    ("self", "selfValue"), ("a1_b2", "a1B2"),
  ])
  func fieldsHaveSwiftNames(proto: String, swift: String) {
    #expect(SwiftNames.property(proto) == swift)
  }

  @Test(arguments: [
    ("SEX_FEMALE", "Sex", "female"), ("IDENTIFIER_TYPE_OPEN_ID", "IdentifierType", "openID"),
    ("COMPRESSABLE", "PayloadType", "compressable"),
    ("SELF_DEFAULT", "Self", "default"), ("LEVEL_9", "Level", "level9"),
  ])
  func enumValuesLoseTheirPrefix(value: String, type: String, swift: String) {
    #expect(SwiftNames.enumValue(value, of: type) == swift)
  }

  @Test(arguments: [
    ("mainstay.customer.v1.GetPartyRequest", "mainstay__customer__v1__get_party_request"),
    ("google.rpc.ErrorInfo.MetadataEntry", "google__rpc__error_info__metadata_entry"),
    ("a.HTTPThing.MEntry", "a__httpthing__mentry"),
  ])
  func functionsAreNamedAsProtocCDoes(proto: String, c: String) {
    #expect(CNames.functions(proto) == c)
  }

  /// A descriptor set of one file with these messages, enums (both as FileDescriptorProto fields) in it.
  private func set(_ parts: [(Int, [UInt8])]) -> [UInt8] {
    var file = WireWriter()
    file.string(1, "a.proto")
    file.string(2, "a")
    for (number, content) in parts { file.bytes(number, content) }
    var set = WireWriter()
    set.bytes(1, file.bytes)
    return set.bytes
  }

  private func message(_ name: String, _ fields: [(name: String, number: UInt64, type: UInt64)], optional: Bool = false)
    -> [UInt8]
  {
    var message = WireWriter()
    message.string(1, name)
    for field in fields {
      var writer = WireWriter()
      writer.string(1, field.name)
      writer.varint(3, field.number)
      writer.varint(4, 1)
      writer.varint(5, field.type)
      if optional { writer.varint(17, 1) }
      message.bytes(2, writer.bytes)
    }
    return message.bytes
  }

  @Test func whatClientsWouldLoseIsNamed() throws {
    let old = set([(4, message("M", [("kept", 1, 9), ("gone", 2, 9), ("changed", 3, 5)])), (4, message("N", []))])
    let new = set([(4, message("M", [("kept", 1, 9), ("changed", 3, 9), ("added", 4, 9)]))])
    #expect(
      try breakingChanges(from: old, to: new) == [
        "field gone = 2 of a.M was removed or has another number", "field changed = 3 of a.M has another type",
        "message a.N was removed",
      ])
    #expect(try breakingChanges(from: old, to: old) == [])
    let api = APIDescriptors.fileDescriptorSet
    #expect(try breakingChanges(from: api, to: api) == [])
    #expect(try breakingChanges(from: api, to: []).contains("service mainstay.customer.v1.CustomerService was removed"))
  }

  @Test func whatProtobufCCannotDoIsRefused() {
    let optional = set([(4, message("M", [("maybe", 1, 9)], optional: true))])
    #expect(throws: GeneratorFailure.self) { try Generation(descriptorSet: optional, cModule: "C", module: "S") }
    let wide = set([(4, message("M", (1...129).map { ("f\($0)", $0, 9) }))])
    #expect(throws: GeneratorFailure.self) { try Generation(descriptorSet: wide, cModule: "C", module: "S") }
    let twice = set([(4, message("Type", [])), (4, message("TypeProto", []))])
    #expect(throws: GeneratorFailure.self) { try Generation(descriptorSet: twice, cModule: "C", module: "S") }
  }

  @Test func theStrippedSetHasNoOptionsOfOurs() throws {
    let stripped = try StrippedSet(pool: try APIDescriptors.pool.get())
    let pool = try DescriptorPool(fileDescriptorSet: stripped.bytes)
    #expect(pool.file(named: "mainstay/platform/v1/options.proto") == nil)
    let method = try #require(pool.method(at: "mainstay.customer.v1.CustomerService/GetCustomer"))
    #expect(method.permission == nil && method.idempotency == .noSideEffects)
    #expect(pool.message(named: "mainstay.customer.v1.Identifier")?.field(number: 3)?.dataClass == 0)
    #expect(
      pool.file(named: "mainstay/customer/v1/party.proto")?.dependencies == [
        "google/protobuf/timestamp.proto", "google/type/date.proto",
      ])
  }

  @Test func aMessageMayHoldItself() throws {
    var node = Node(name: "a", next: Node(name: "b", side: .left(Node(name: "c"))))
    node.next?.wrapper = ProtobufFixtures.Wrapper(node: Node(name: "d"))
    #expect(node.next?.wrapper?.node?.name == "d")
    #expect(try Node(serialized: node.serialized()) == node)
  }
}

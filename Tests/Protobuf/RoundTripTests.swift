import API
import Protobuf
import Testing

@Suite struct RoundTripTests {
  /// A party with something in every field.
  static let party = Party(
    partyID: "par_1", source: "febrl1", sourceKey: "rec-1", customerID: "cus_1",
    kind: .person(
      Person(familyName: "王", givenName: "小明", birthDate: CalendarDate(year: 1980, month: 2, day: 29), sex: .female)),
    identifiers: [Identifier(type: .residentID, issuer: "CN", value: "11010119800229001X")],
    phones: ["+86 138 0000 0000", ""], emails: ["a@example.org"],
    addresses: [Address(lines: ["长安街 1 号", "2 楼"], city: "北京", postalCode: "100000", countryCode: "CN")],
    sourceAttributes: [SourceAttribute(name: "soc_sec_id", value: "5304218")], etag: "e",
    createTime: GoogleTimestamp(seconds: 1_700_000_000, nanos: 999_999_999), updateTime: GoogleTimestamp(seconds: -1))

  @Test func aMessageWithEveryKindOfFieldComesBackAsItWas() throws {
    let customer = Customer(customerID: "cus_1", displayName: "王小明", parties: [Self.party, Party()])
    #expect(try Customer(serialized: customer.serialized()) == customer)
    let info = RPCErrorInfo(reason: "R", metadata: ["b": "2", "a": "1", "": ""])
    #expect(try RPCErrorInfo(serialized: info.serialized()) == info)
    let payload = TestingPayload(body: [0, 255, 0])
    #expect(try TestingPayload(serialized: payload.serialized()) == payload)
    let numbers = ReflectionV1ExtensionNumberResponse(extensionNumber: [1, -1, .max, .min, 0])
    #expect(try ReflectionV1ExtensionNumberResponse(serialized: numbers.serialized()) == numbers)
  }

  @Test func theSameMapAlwaysGivesTheSameBytes() throws {
    let metadata = Dictionary(uniqueKeysWithValues: (0..<50).map { ("key\($0)", "\($0)") })
    let bytes = try RPCErrorInfo(metadata: metadata).serialized()
    #expect(try RPCErrorInfo(metadata: Dictionary(uniqueKeysWithValues: metadata.shuffled())).serialized() == bytes)
  }

  @Test func aReservedPrefixIsZeroAndTheMessageFollows() throws {
    let framed = try Self.party.serialized(reservingPrefix: 5)
    #expect(Array(framed[..<5]) == [0, 0, 0, 0, 0])
    #expect(try Party(serialized: framed[5...]) == Self.party)
  }

  @Test func anEmptyStringInAOneofIsStillSet() throws {
    let request = ReflectionV1ServerReflectionRequest(messageRequest: .listServices(""))
    #expect(try ReflectionV1ServerReflectionRequest(serialized: request.serialized()) == request)
  }

  @Test func anUnknownEnumNumberPassesThrough() throws {
    let person = Person(sex: Sex(rawValue: -7))
    #expect(try Person(serialized: person.serialized()) == person)
    #expect(person.sex.name == "-7")
  }

  @Test func aNulInAStringIsRefusedWithTheField() throws {
    #expect(throws: EncodingFailure(field: "mainstay.customer.v1.Person.given_name", reason: "holds a NUL character")) {
      try Party(kind: .person(Person(givenName: "a\0b"))).serialized()
    }
  }

  @Test func aLargeMessageIsEncodedAndTheArenaGivesItsMemoryBack() throws {
    let payload = TestingPayload(body: [UInt8](repeating: 7, count: 10_000_000))
    for _ in 0..<3 { #expect(try TestingPayload(serialized: payload.serialized()) == payload) }
    let many = SubscribeResponse(events: (0..<10_000).map { Event(eventID: "evt_\($0)", aggregateVersion: Int64($0)) })
    #expect(try SubscribeResponse(serialized: many.serialized()) == many)
  }
}

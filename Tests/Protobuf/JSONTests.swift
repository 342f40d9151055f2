import API
import Protobuf
import ProtobufFixtures
import Testing

@Suite struct JSONTests {
  let transcoder: JSONTranscoder
  let fixtures: JSONTranscoder

  init() throws {
    transcoder = JSONTranscoder(try APIDescriptors.pool.get())
    fixtures = JSONTranscoder(try ProtobufFixturesDescriptors.pool.get())
  }

  private func decode<M: Message>(_ message: M, pretty: Bool = false) throws -> String {
    try transcoder.decode(message.serialized(), as: M.fullName, pretty: pretty)
  }

  private func encode<M: Message>(_ json: String, as type: M.Type) throws -> M {
    try M(serialized: transcoder.encode(json: Array(json.utf8), as: M.fullName))
  }

  private func refusal<M: Message>(_ json: String, as type: M.Type) -> String {
    do {
      _ =
        try fixtures.pool.message(named: M.fullName) == nil
        ? transcoder.encode(json: Array(json.utf8), as: M.fullName)
        : fixtures.encode(json: Array(json.utf8), as: M.fullName)
      return "accepted"
    } catch { return error.description }
  }

  @Test func aPartyLooksAsTheMappingAsksFor() throws {
    let json = try decode(RoundTripTests.party)
    #expect(
      json == """
        {"partyId":"par_1","source":"febrl1","sourceKey":"rec-1","customerId":"cus_1","person":{"familyName":"王",\
        "givenName":"小明","birthDate":{"year":1980,"month":2,"day":29},"sex":"SEX_FEMALE"},"identifiers":[{"type":\
        "IDENTIFIER_TYPE_RESIDENT_ID","issuer":"CN","value":"11010119800229001X"}],"phones":["+86 138 0000 0000",""],\
        "emails":["a@example.org"],"addresses":[{"lines":["长安街 1 号","2 楼"],"city":"北京","postalCode":"100000",\
        "countryCode":"CN"}],"sourceAttributes":[{"name":"soc_sec_id","value":"5304218"}],"etag":"e","createTime":\
        "2023-11-14T22:13:20.999999999Z","updateTime":"1969-12-31T23:59:59Z"}
        """)
    #expect(try encode(json, as: Party.self) == RoundTripTests.party)
  }

  @Test func prettyTextHasAMemberPerLine() throws {
    let money = GetPartyRequest(partyID: "par_1")
    #expect(try decode(money, pretty: true) == "{\n  \"partyId\": \"par_1\"\n}")
    #expect(try decode(GetPartyRequest(), pretty: true) == "{}")
  }

  @Test func protoNamesAreTakenToo() throws {
    #expect(try encode("{\"party_id\": \"par_1\"}", as: GetPartyRequest.self).partyID == "par_1")
    #expect(
      refusal("{\"party_id\":\"a\",\"partyId\":\"b\"}", as: GetPartyRequest.self).hasPrefix("partyId: occurs twice"))
  }

  @Test func anEventCarriesItsPayload() throws {
    let payload = PartyChanged(partyID: "par_1", created: true)
    let event = Event(
      eventID: "evt_1", aggregateVersion: 9_007_199_254_740_993,
      payload: GoogleAny(typeURL: PartyChanged.typeURL, value: try payload.serialized()))
    let json = try decode(event)
    #expect(
      json == """
        {"eventId":"evt_1","aggregateVersion":"9007199254740993","payload":\
        {"@type":"type.googleapis.com/mainstay.customer.v1.PartyChanged","partyId":"par_1","created":true}}
        """)
    #expect(try encode(json, as: Event.self) == event)
    let wrapped = RPCStatus(details: [
      GoogleAny(typeURL: GoogleDuration.typeURL, value: try GoogleDuration(seconds: 3, nanos: 5_000_000).serialized())
    ])
    #expect(
      try decode(wrapped)
        == "{\"details\":[{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"3.005s\"}]}")
    #expect(try encode(decode(wrapped), as: RPCStatus.self) == wrapped)
  }

  @Test(
    arguments: [
      ("2026-11-21T08:30:00Z", 1_795_249_800, 0), ("2026-11-21T16:30:00.5+08:00", 1_795_249_800, 500_000_000),
      ("0001-01-01T00:00:00Z", -62_135_596_800, 0), ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
      ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
    ] as [(String, Int64, Int32)])
  func timesAreRead(text: String, seconds: Int64, nanos: Int32) throws {
    #expect(try encode("\"\(text)\"", as: GoogleTimestamp.self) == GoogleTimestamp(seconds: seconds, nanos: nanos))
  }

  @Test(arguments: [
    "2026-02-29T00:00:00Z", "2026-11-21 08:30:00Z", "2026-11-21T08:30:00", "2026-11-21T24:00:00Z", "",
    "0001-01-01T00:00:00+01:00", "2026-11-21T08:30:00.Z", "2026-11-21T08:30:00.1234567890Z",
  ])
  func brokenTimesAreRefused(text: String) {
    #expect(refusal("\"\(text)\"", as: GoogleTimestamp.self).hasPrefix("expected a time"))
  }

  @Test(
    arguments: [
      ("1.5s", 1, 500_000_000), ("-0.000000001s", 0, -1), ("-3.000s", -3, 0), ("315576000000s", 315_576_000_000, 0),
    ] as [(String, Int64, Int32)])
  func spansAreRead(text: String, seconds: Int64, nanos: Int32) throws {
    #expect(try encode("\"\(text)\"", as: GoogleDuration.self) == GoogleDuration(seconds: seconds, nanos: nanos))
  }

  @Test(arguments: ["1.5", "s", "--1s", "1.s", "315576000001s", "1e3s", "+1s"]) func brokenSpansAreRefused(text: String)
  {
    #expect(refusal("\"\(text)\"", as: GoogleDuration.self).hasPrefix("expected seconds"))
  }

  @Test func masksUseJSONNames() throws {
    let mask = GoogleFieldMask(paths: ["person.given_name", "phones"])
    #expect(try decode(mask) == "\"person.givenName,phones\"")
    #expect(try encode("\"person.givenName,phones\"", as: GoogleFieldMask.self) == mask)
    for path in ["a__b", "aB", "a,b", ""] {
      #expect(throws: JSONFailure.self) { try decode(GoogleFieldMask(paths: [path])) }
    }
  }

  @Test(arguments: [
    ("{\"oneInt32\": \"1\", \"one_int32\": 2}", "one_int32: occurs twice"),
    ("{\"oneInt32\": 2147483648}", "oneInt32: 2147483648 is no integer of 32 bits"),
    ("{\"oneInt32\": 1.5}", "oneInt32: 1.5 is no integer"),
    ("{\"oneInt32\": true}", "oneInt32: expected an integer, found a boolean"),
    ("{\"oneUint32\": -1}", "oneUint32: -1 is no integer"), ("{\"oneFloat\": 1e39}", "oneFloat: 1e+39 is too large"),
    ("{\"oneBool\": \"true\"}", "oneBool: expected true or false"),
    ("{\"oneString\": \"a\\u0000\"}", "oneString: holds a NUL"),
    ("{\"oneBytes\": \"?\"}", "oneBytes: is not base64"),
    ("{\"oneLevel\": \"LEVEL_9\"}", "oneLevel: fixture.v1.Level has no value"),
    ("{\"manyInt32\": [1, \"x\"]}", "manyInt32[1]: expected an integer"),
    ("{\"manyInt32\": 1}", "manyInt32: expected an array"),
    ("{\"manyString\": [null]}", "manyString[0]: expected a string, found null"),
    ("{\"nothing\": 1}", "nothing: fixture.v1.Scalars has no such field"),
    ("{\"choiceNode\": {\"nothing\": 1}}", "choiceNode.nothing: fixture.v1.Node has no such field"),
    ("{\"oneInt64\": -9223372036854775809}", "oneInt64: -9223372036854775809 is no integer of 64 bits"),
    ("{\"oneInt64\": 1e99999999999999999999}", "oneInt64: 1e99999999999999999999 is no integer of 64 bits"),
    ("{\"oneInt64\": 1e-9223372036854775808}", "oneInt64: 1e-9223372036854775808 is no integer of 64 bits"),
    ("{\"choiceBool\": true, \"choiceInt32\": 1}", "choiceInt32: only one of choiceBool and choiceInt32"),
    ("[]", "expected an object"),
    (
      "{\"choiceNode\": {\"next\": {\"children\": [{}, {\"name\": 1}]}}}",
      "choiceNode.next.children[1].name: expected a string"
    ),
  ])
  func wrongContentIsRefusedWithItsPath(json: String, reason: String) {
    let described = refusal(json, as: Scalars.self)
    #expect(described.hasPrefix(reason), "\(described)")
  }

  @Test(arguments: [
    "", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "01", "1.", "-", "+1", "tru", "\"", "\"\\x\"", "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\u{1}\"", "{\"a\":1,\"a\":2}", "{} {}", "nul", "NaN", "{'a':1}", "\"\\u12\"",
    String(repeating: "[", count: 100_000),
  ])
  func brokenTextIsRefused(json: String) {
    #expect(refusal(json, as: Scalars.self) != "accepted")
  }

  @Test func numbersAreTakenInEveryForm() throws {
    let json =
      "{\"oneInt64\":\"-9223372036854775808\",\"oneUint64\":18446744073709551615,\"oneInt32\":1e2,\"oneUint32\":\"7.0\",\"oneDouble\":\"-Infinity\",\"oneFloat\":\"1.5\"}"
    let scalars = try Scalars(serialized: fixtures.encode(json: Array(json.utf8), as: Scalars.fullName))
    #expect(scalars.oneInt64 == .min && scalars.oneUint64 == .max && scalars.oneInt32 == 100 && scalars.oneUint32 == 7)
    #expect(scalars.oneDouble == -.infinity && scalars.oneFloat == 1.5)
    let exact = "{\"oneInt64\":9007199254740993.0,\"oneUint64\":\"1844674407370955161500e-2\",\"oneInt32\":0e999}"
    let more = try Scalars(serialized: fixtures.encode(json: Array(exact.utf8), as: Scalars.fullName))
    #expect(more == Scalars(oneInt64: 9_007_199_254_740_993, oneUint64: .max))
  }

  @Test func charactersThatOnlyLookTheSameAreDifferentKeys() throws {
    let json = "{\"byString\":{\"\u{E9}\":{\"name\":\"1\"},\"e\u{301}\":{\"name\":\"2\"}}}"
    let wire = try fixtures.encode(json: Array(json.utf8), as: Maps.fullName)
    #expect(Array(try fixtures.decode(wire, as: Maps.fullName).utf8) == Array(json.utf8))
    // The sign of Kelvin.
    #expect(refusal("{\"source\u{212A}ey\": \"1\"}", as: Party.self).hasSuffix("has no such field"))
  }

  @Test func nullMeansAbsent() throws {
    #expect(try encode("{\"partyId\": null}", as: GetPartyRequest.self) == GetPartyRequest())
  }

  @Test func escapesAreReadAndWritten() throws {
    let request = GetPartyRequest(partyID: "\"\\/\u{8}\u{C}\n\r\t\u{1}🙂é")
    #expect(
      try encode("{\"partyId\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\ud83d\\ude42\\u00e9\"}", as: GetPartyRequest.self)
        == request)
    #expect(try encode(decode(request), as: GetPartyRequest.self) == request)
  }

  @Test func depthIsLimitedBothWays() throws {
    func json(_ depth: Int) -> String {
      String(repeating: "{\"next\":", count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
    }
    #expect(refusal(json(100), as: Node.self) == "accepted")
    #expect(refusal(json(101), as: Node.self).hasSuffix("nested deeper than 100"))
    let deep = (0..<101).reduce([UInt8]()) { inner, _ in
      var writer = WireWriter()
      writer.bytes(2, inner)
      return writer.bytes
    }
    #expect(throws: JSONFailure.self) { try fixtures.decode(deep, as: Node.fullName) }
  }

  @Test func anUnknownTypeIsRefused() {
    #expect(throws: JSONFailure.self) { try transcoder.encode(json: Array("{}".utf8), as: "no.such.Type") }
    #expect(
      refusal("{\"@type\": \"type.googleapis.com/no.such.Type\"}", as: GoogleAny.self)
        == "unknown message type no.such.Type")
    #expect(refusal("{\"a\": 1}", as: GoogleAny.self) == "has no \"@type\"")
  }
}

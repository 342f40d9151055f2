import Core
import Storage
import Testing

@Suite struct TokenTests {
  @Test func aPageTokenGivesItsKeyBack() throws {
    let key: [OpaqueToken.Field] = [.text("张伟"), .integer(-3), .text("")]
    let token = PageToken.encode(query: "List?a=1", key: key)
    #expect(try PageToken.decode(token, query: "List?a=1") == key)
    #expect(token.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") })
  }

  @Test func aPageTokenOfAnotherQueryIsRefused() {
    let token = PageToken.encode(query: "List?a=1", key: [.integer(1)])
    #expect(throws: PageToken.Refused.otherQuery) { try PageToken.decode(token, query: "List?a=2") }
  }

  @Test func aTokenOfAnotherKindIsNoPageToken() {
    let token = ResumePosition(epoch: "e", positions: [0: 5]).token
    #expect(throws: PageToken.Refused.malformed) { try PageToken.decode(token, query: "") }
  }

  @Test func everyChangedBitOfATokenIsFound() throws {
    let token = try #require(Base64.decode(PageToken.encode(query: "q", key: [.text("abc"), .integer(9)])))
    for position in token.indices {
      for bit in 0..<8 {
        var changed = token
        changed[position] ^= 1 << UInt8(bit)
        #expect(throws: PageToken.Refused.malformed) {
          try PageToken.decode(Base64.encode(changed, urlSafe: true), query: "q")
        }
      }
    }
  }

  @Test func anyBytesAreRefusedAndNothingTraps() {
    var state: UInt64 = 42
    for _ in 0..<5_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let bytes = (0..<Int(state >> 59)).map { UInt8(truncatingIfNeeded: state >> UInt64($0)) }
      #expect(throws: OpaqueToken.Malformed()) {
        try OpaqueToken.decode(.page, Base64.encode([1] + bytes, urlSafe: true))
      }
    }
  }

  @Test func resumePositionsOfSeveralPartitionsComeBack() throws {
    let place = ResumePosition(epoch: "3f-9a", positions: [0: 17, 4: 0, 9: .max])
    #expect(try ResumePosition(token: place.token) == place)
  }
}

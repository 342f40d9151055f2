import Core
import Testing

@Suite struct IdentifierTests {
  @Test func anIdIsReadBackAndFoldedToUpperCase() {
    let id = PartyID(clock: SystemClock(), random: SystemRandom())
    #expect(id.description.utf8.count == 30 && id.description.hasPrefix("par_"))
    #expect(PartyID(id.description) == id)
    #expect(PartyID("par_" + id.description.dropFirst(4).lowercased()) == id)
  }

  @Test(
    "other texts are no ids",
    arguments: [
      "", "par_", "cus_01J9ZQ3M5V8XK2T4R6W7Y0ABCD", "par_01J9ZQ3M5V8XK2T4R6W7Y0ABC", "par_01J9ZQ3M5V8XK2T4R6W7Y0ABCDE",
      "par_81J9ZQ3M5V8XK2T4R6W7Y0ABCD", "par_01J9ZQ3M5V8XK2T4R6W7Y0ABCU", "par-01J9ZQ3M5V8XK2T4R6W7Y0ABCD",
      "par_01J9ZQ3M5V8XK2T4R6W7Y0AB保", "PAR_01J9ZQ3M5V8XK2T4R6W7Y0ABCD",
    ])
  func refused(_ text: String) { #expect(PartyID(text) == nil) }

  @Test func idsDrawnTogetherAscendAndAreWellFormed() {
    let ids = PartyID.ascending(1_000, clock: SystemClock(), random: SystemRandom())
    #expect(ids.count == 1_000 && ids == ids.sorted() && Set(ids).count == 1_000)
    #expect(ids.allSatisfy { PartyID($0.description) == $0 })
    #expect(PartyID.ascending(0, clock: SystemClock(), random: SystemRandom()).isEmpty)
  }
}

@Suite struct SHA256Tests {
  @Test(
    "hashes of FIPS 180-4's examples and of lengths around a block",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (String(repeating: "a", count: 55), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
      (String(repeating: "a", count: 64), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
      (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
  func known(_ text: String, expected: String) {
    let digits = SHA256.hash(Array(text.utf8)).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    #expect(digits.joined() == expected)
  }
}

import Core
import Foundation
import Identity
import MainstayTesting
import RPCCore
import Signatures
import Synchronization
import Testing

extension ForeignTokens {
  fileprivate func keys(_ files: String...) throws -> TokenKeySet {
    var keys = TokenKeySet()
    for file in files {
      let path = folder.file(file)
      try keys.add(String(contentsOfFile: path, encoding: .utf8), from: path)
    }
    return keys
  }

  fileprivate func tokens() throws -> BearerTokens {
    BearerTokens(
      issuer: ForeignTokens.issuer, audience: ForeignTokens.audience, keys: try keys("keys.pem"), clock: SystemClock())
  }
}

extension BearerTokens {
  /// As over a connection of its own, unless it is another one.
  fileprivate func caller(
    _ header: String, from peer: Peer = Peer(address: "", certificate: nil)
  ) throws(AccessRefusal) -> Caller {
    try caller(authorization: Array(header.utf8), from: peer)
  }
}

@Suite(.timeLimit(.minutes(10))) struct TokenTests {
  private static let refusals: [(AccessRefusal.Reason, [String])] = [
    (.tokenExpired, ["expired"]),
    (.tokenNotYetValid, ["not_before", "issued_later"]),
    (.tokenLifetime, ["too_long_life", "life_backwards"]),
    (
      .tokenAlgorithm,
      ["alg_none", "alg_none_signed", "hs256_pem", "hs256_raw", "rs256", "alg_missing", "alg_ed25519"]
    ),
    (.tokenKey, ["unknown_kid", "no_kid", "own_key", "by_second_key"]),
    (.tokenSignature, ["forged", "tampered", "tampered_header", "cut_signature", "no_signature"]),
    (
      .tokenMalformed,
      [
        "twin", "padded", "two_parts", "five_parts", "blank_within", "crit", "typ", "deep", "duplicate", "not_json",
        "not_an_object", "not_utf8", "empty", "dots",
      ]
    ),
    (.tokenIssuer, ["issuer"]),
    (.tokenAudience, ["audience"]),
    (
      .tokenClaims,
      [
        "no_issuer", "no_audience", "audience_number", "no_exp", "no_iat", "no_sub", "exp_text", "exp_infinite",
        "sub_newline", "sub_empty", "role_service", "roles_text", "many_roles",
      ]
    ),
    (.tokenTooLong, ["oversized"]),
  ]

  private static let accepted = [
    "good", "second_factor", "auditor", "no_roles", "aud_list", "at_jwt", "just_issued_elsewhere",
  ]

  @Test func whatAnotherImplementationHasSignedIsBelieved() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    func caller(_ name: String) throws -> Caller { try tokens.caller(foreign.header(name)) }
    #expect(try caller("good") == Caller(name: "mei.lin", roles: ["administrator"]))
    #expect(
      try caller("second_factor") == Caller(name: "mei.lin", roles: ["administrator"], hasSecondFactor: true))
    #expect(try caller("auditor") == Caller(name: "an.auditor", roles: ["auditor"]))
    #expect(try caller("no_roles").roles.isEmpty)
    for name in ["aud_list", "at_jwt", "just_issued_elsewhere"] { #expect(try caller(name).name == "mei.lin") }
    #expect(try tokens.caller(foreign.header("good", scheme: "bEARER  ")).name == "mei.lin")
  }

  @Test func whatIsNotAsItMustBeIsRefusedWithItsReasonAndWithoutTheToken() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    let named = Set(Self.refusals.flatMap(\.1) + Self.accepted)
    #expect(named == Set(foreign.byName.keys))
    for (reason, names) in Self.refusals {
      for name in names {
        // Also a second time: a refusal is never taken for something that was verified.
        for _ in 0..<2 {
          let refusal = #expect(throws: AccessRefusal.self, "\(name)") {
            try tokens.caller(foreign.header(name))
          }
          #expect(refusal?.reason == reason, "\(name)")
          #expect(refusal?.rpcError.code == .unauthenticated)
          #expect(refusal.map { !foreign.isTold(name, in: "\($0) \($0.rpcError)") } == true, "\(name) is told")
        }
      }
    }
  }

  @Test func anotherSchemeOrNoTokenIsRefused() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    for value in ["", "Bearer", "Bearer  ", foreign.header("good", scheme: "Basic ")] {
      let refusal = #expect(throws: AccessRefusal.self) { try tokens.caller(value) }
      #expect(refusal?.reason == .tokenMalformed)
    }
  }

  @Test func noCharacterOfATokenCanBeChanged() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    let good = Array(foreign.header("good").utf8)
    _ = try tokens.caller(authorization: good, from: Peer(address: "", certificate: nil))
    for index in good.indices.dropFirst("Bearer ".utf8.count) {
      for bit in [UInt8(1), 0x20] {
        var changed = good
        changed[index] ^= bit
        let caller = try? tokens.caller(authorization: changed, from: Peer(address: "", certificate: nil))
        #expect(caller == nil, "byte \(index)")
      }
    }
  }

  @Test func whoForgesAgainAndAgainIsNotListenedToOnThatConnection() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    let peer = Peer(address: "", certificate: nil)
    _ = try tokens.caller(foreign.header("auditor"), from: peer)
    for _ in 0..<BearerTokens.maximumForgeries {
      #expect(throws: AccessRefusal.self) { try tokens.caller(foreign.header("forged"), from: peer) }
    }
    let refusal = #expect(throws: AccessRefusal.self) { try tokens.caller(foreign.header("good"), from: peer) }
    #expect(refusal?.message.contains("connect anew") == true)
    // What was verified before is known, and other connections are others.
    #expect(try tokens.caller(foreign.header("auditor"), from: peer).name == "an.auditor")
    #expect(try tokens.caller(foreign.header("good")).name == "mei.lin")
  }

  @Test func keysAreExchangedWhileTokensAreKnown() async throws {
    let foreign = try await ForeignTokens()
    let tokens = try foreign.tokens()
    func isKnown(_ name: String) -> Bool { (try? tokens.caller(foreign.header(name))) != nil }
    #expect(isKnown("good") && !isKnown("by_second_key"))
    tokens.replace(try foreign.keys("keys.pem", "other.pem"))
    #expect(isKnown("good") && isKnown("by_second_key"))
    tokens.replace(try foreign.keys("other.pem"))
    #expect(!isKnown("good") && isKnown("by_second_key"))
  }

  @Test func aTokenThatIsKnownEndsWhenItIsOver() async throws {
    let foreign = try await ForeignTokens()
    let clock = TurnedClock()
    let tokens = BearerTokens(
      issuer: ForeignTokens.issuer, audience: ForeignTokens.audience, keys: try foreign.keys("keys.pem"), clock: clock)
    #expect(try tokens.caller(foreign.header("good")).name == "mei.lin")
    clock.turn(by: 240 + 10 + 1)
    let refusal = #expect(throws: AccessRefusal.self) { try tokens.caller(foreign.header("good")) }
    #expect(refusal?.reason == .tokenExpired)
  }

  @Test func anotherImplementationBelievesWhatIsSignedHere() async throws {
    let folder = try TemporaryFolder()
    let key = try SigningKey(random: SystemRandom())
    let file = try folder.write("public.pem", try TokenKeySet.text(of: #require(VerifyingKey(bytes: key.publicKey))))
    var token = UnsignedToken(
      subject: "li.wei", roles: ["agent", "back-office"], issuer: "i\"\\s", audience: "mainstay")
    token.hasSecondFactor = true
    token.seconds = 120
    let text = try token.signed(by: key, clock: SystemClock(), random: SystemRandom())
    let interpreter = try #require(try await Python.interpreter(with: ["jwt", "cryptography"]))
    let read = try await Program.run(
      interpreter, ["\(Python.repository)/Tests/Identity/tokens.py", "read", file, "i\"\\s", "mainstay"], input: text)
    try #require(read.code == 0, "\(read.errors)")
    struct Answer: Decodable {
      struct Claims: Decodable, Equatable {
        let sub: String
        let roles: [String]
        let amr: [String]
        let iat: Int
        let exp: Int
      }
      let header: [String: String]
      let claims: Claims
    }
    let answer = try JSONDecoder().decode(Answer.self, from: Data(read.output.utf8))
    #expect(answer.header["alg"] == "EdDSA")
    #expect(answer.claims.sub == "li.wei" && answer.claims.roles == ["agent", "back-office"])
    #expect(answer.claims.amr == ["pwd", "mfa"] && answer.claims.exp - answer.claims.iat == 120)
  }

  @Test func filesOfKeysThatCannotBeUsedSayWhy() throws {
    let key = try #require(VerifyingKey(bytes: try SigningKey(random: SystemRandom()).publicKey))
    let other = try #require(VerifyingKey(bytes: try SigningKey(random: SystemRandom()).publicKey))
    let rsa =
      "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n"
      + "9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n"
    let bad: [(String, String)] = [
      ("", "no whole public key"), ("kid: a\n", "no whole public key"),
      (String(try key.pem().dropLast(30)), "no whole public key"),
      (try SigningKey(random: SystemRandom()).pem(), "something else than public keys"),
      (rsa, "not Ed25519"), ("kid: a b\n" + (try key.pem()), "a kid must be"),
      ("kid: a\n" + (try key.pem()) + "kid: a\n" + (try other.pem()), "two keys are called a"),
    ]
    for (text, reason) in bad {
      var keys = TokenKeySet()
      let error = #expect(throws: KeyError.self) { try keys.add(text, from: "keys.pem") }
      #expect(error?.description.contains(reason) == true, "\(error?.description ?? "nothing")")
    }
    var keys = TokenKeySet()
    try keys.add("kid: a\r\n" + (try key.pem()) + (try other.pem()), from: "keys.pem")
    #expect(keys.names == ["a", other.thumbprint].sorted())
  }
}

/// The machine's time, moved on by hand.
private final class TurnedClock: Clock {
  private let seconds = Mutex<Int64>(0)

  func turn(by seconds: Int64) { self.seconds.withLock { $0 += seconds } }

  func now() -> Timestamp {
    let turned = seconds.withLock { $0 } * 1_000_000
    return Timestamp(microsecondsSinceEpoch: SystemClock().now().microsecondsSinceEpoch + turned)
  }

  func monotonicNanoseconds() -> UInt64 { SystemClock().monotonicNanoseconds() }
}

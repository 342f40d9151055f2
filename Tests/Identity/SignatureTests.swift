import Core
import Signatures
import Testing

/// Against the example of RFC 8037, appendix A.
@Suite struct SignatureTests {
  private let key = VerifyingKey(bytes: Base64.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") ?? [])
  private let signed = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
  private let signature =
    Base64.decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg") ?? []

  @Test func theSignatureOfTheExampleHoldsAndNoOther() throws {
    let key = try #require(key)
    #expect(key.holds(signature, of: signed))
    #expect(!key.holds(signature, of: signed + [0]))
    #expect(!key.holds(Array(signature.dropLast()), of: signed))
    for index in signature.indices {
      var changed = signature
      changed[index] ^= 1
      #expect(!key.holds(changed, of: signed), "byte \(index)")
    }
  }

  @Test func aKeyIsCalledByItsThumbprint() throws {
    #expect(try #require(key).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
  }

  @Test func aPublicKeyIsReadAsItWasWritten() throws {
    let key = try #require(key)
    #expect(VerifyingKey(pem: try key.pem())?.bytes == key.bytes)
    #expect(VerifyingKey(pem: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n") == nil)
    #expect(VerifyingKey(bytes: Array(key.bytes.dropLast())) == nil)
  }
}

import Core
import Identity
import Signatures

/// The tokens of `mainstay up`: a key of this state folder's own, and who they say has given them.
struct DevelopmentTokens: Sendable {
  /// Who gives them, and for whom: what configuration files say.
  static let issuer = "mainstay-development"
  static let audience = "mainstay"
  /// The lines of a configuration file about them.
  static let configuration = [
    "tokens:", "  keys: ../pki/token-keys.pem", "  issuer: \(issuer)", "  audience: \(audience)",
  ]

  let folder: StateFolder
  let clock = SystemClock()
  let random = SystemRandom()

  /// The key, made if there is none. Its public half is added to the file that gateway and services read; those that are there stay.
  func key() throws -> SigningKey {
    do {
      if !Files.exists(folder.tokenKey) { try Files.write(try SigningKey(random: random).pem(), to: folder.tokenKey) }
      let key = try SigningKey(path: folder.tokenKey)
      let text = Files.exists(folder.tokenKeys) ? try Files.text(folder.tokenKeys) : ""
      var known = TokenKeySet()
      if !text.isEmpty { try known.add(text, from: folder.tokenKeys) }
      if let publicKey = VerifyingKey(bytes: key.publicKey), known.key(publicKey.thumbprint) == nil {
        try Files.write(text + (try TokenKeySet.text(of: publicKey)), to: folder.tokenKeys)
      }
      return key
    } catch let error as KeyError {
      throw CommandFailure(error.description)
    }
  }
}

import Foundation

/// Tokens that another implementation has made (PyJWT and cryptography), good ones and all kinds of bad ones: Tests/Identity/tokens.py
/// says what is in each.
public struct ForeignTokens: Sendable {
  /// Their issuer.
  public static let issuer = "https://login.example"
  /// Whom they are for.
  public static let audience = "mainstay"

  /// Where the public keys are: keys.pem, and other.pem with the second key.
  public let folder: TemporaryFolder
  /// The tokens.
  public let byName: [String: String]

  /// New keys, and tokens that begin now.
  public init() async throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let made = try await Python.run(
      script: "Tests/Identity/tokens.py", arguments: ["make", folder.path], modules: ["jwt", "cryptography"])
    guard let made, made.code == 0 else {
      let reason = made?.errors ?? "make .venv/bin/python installs PyJWT and cryptography"
      throw CocoaError(.featureUnsupported, userInfo: [NSLocalizedDescriptionKey: reason])
    }
    byName = try JSONDecoder().decode([String: String].self, from: Data(made.output.utf8))
  }

  /// The value of the header "authorization" with one of them.
  public func header(_ name: String, scheme: String = "Bearer ") -> String {
    scheme + (byName[name] ?? "there is no such token")
  }

  /// Whether a text tells anything of a token: of its payload or signature.
  public func isTold(_ name: String, in text: String) -> Bool {
    (byName[name] ?? "").split(whereSeparator: { $0 == "." || $0 == "=" }).dropFirst().contains {
      $0.count > 4 && text.contains($0.prefix(12))
    }
  }
}

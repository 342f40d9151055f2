import Core
import Signatures

/// The public keys that tokens may be signed with, by their names ("kid").
public struct TokenKeySet: Sendable {
  /// Keys at once: today's, the next one, and those of a few issuers.
  public static let maximumKeys = 64
  /// Longest name of a key, in bytes.
  public static let maximumNameBytes = 128
  private static let begin = "-----BEGIN PUBLIC KEY-----"
  private static let end = "-----END PUBLIC KEY-----"

  private var keys: [String: VerifyingKey] = [:]

  /// No keys.
  public init() {}

  /// The key of a name.
  public func key(_ name: String) -> VerifyingKey? { keys[name] }

  /// Names of all.
  public var names: [String] { keys.keys.sorted() }

  /// Takes the keys of a text: PEM blocks, each with a line "kid: NAME" above it; one without is called by its thumbprint (RFC 7638).
  /// Throws what is wrong with the text, which came from `path`.
  public mutating func add(_ text: String, from path: String) throws(KeyError) {
    var name: String?
    var block: String?
    var count = 0
    for line in text.split(whereSeparator: \.isNewline) {
      if line == TokenKeySet.begin {
        block = ""
      } else if line.hasPrefix("-----BEGIN ") {
        throw KeyError(
          "\(path) holds something else than public keys; write \"\(TokenKeySet.begin)\" blocks alone there")
      } else if block == nil, line.hasPrefix("kid:") {
        name = String(line.dropFirst(4).drop { $0 == " " })
      }
      if block != nil { block? += line + "\n" }
      if line == TokenKeySet.end, let pem = block {
        try add(pem, name: name, from: path)
        (name, block) = (nil, nil)
        count += 1
      }
    }
    guard count > 0, block == nil else {
      throw KeyError("\(path) holds no whole public key in PEM; \"mainstay certs token\" writes such a file")
    }
  }

  private mutating func add(_ pem: String, name: String?, from path: String) throws(KeyError) {
    guard let key = VerifyingKey(pem: pem) else {
      throw KeyError("\(path) holds a public key that is not Ed25519; tokens are signed with Ed25519")
    }
    let name = name ?? key.thumbprint
    guard isVisibleASCII(name, maximumBytes: TokenKeySet.maximumNameBytes) else {
      throw KeyError(
        "\(path): a kid must be 1 to \(TokenKeySet.maximumNameBytes) letters, digits and signs, without blanks")
    }
    guard keys[name].map({ $0.bytes == key.bytes }) != false else {
      throw KeyError("\(path): two keys are called \(name); give each a kid of its own")
    }
    guard keys.count < TokenKeySet.maximumKeys || keys[name] != nil else {
      throw KeyError("\(path): more than \(TokenKeySet.maximumKeys) keys; take old ones out")
    }
    keys[name] = key
  }

  /// The text by which others know a key.
  public static func text(of key: VerifyingKey) throws(KeyError) -> String {
    "kid: \(key.thumbprint)\n" + (try key.pem())
  }
}

/// Whether a text is made of letters, digits and signs alone, so that it can stand in a header and in a log.
func isVisibleASCII(_ text: String, maximumBytes: Int) -> Bool {
  !text.isEmpty && text.utf8.count <= maximumBytes && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
}

import Core

/// The public key of a log: who verifies its checkpoints needs no more. Written as C2SP's signed-note says:
/// "mainstay/customer+5f8e12ab+AZ…", the name, the key's id, and the key behind a byte 1 for Ed25519.
public struct LogKey: Hashable, Sendable, CustomStringConvertible {
  /// Most keys that one text may hold.
  public static let maximumKeys = 1_024
  private static let ed25519: UInt8 = 1

  /// Whose: "mainstay/customer".
  public let name: String
  /// 32 bytes.
  public let publicKey: [UInt8]

  /// The key of a log.
  public init(name: String, publicKey: [UInt8]) {
    self.name = name
    self.publicKey = publicKey
  }

  /// Reads what `description` has written; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = Base64.decode(parts[2]), bytes.count == 33, bytes[0] == LogKey.ed25519,
      LogKey.isName(parts[0])
    else { return nil }
    self.init(name: String(parts[0]), publicKey: Array(bytes.dropFirst()))
    guard description == text else { return nil }
  }

  /// All keys of a text with one a line; empty lines and those that begin with # are left out. Nil if a line is none.
  public static func list(_ text: String) -> [LogKey]? {
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") && $0.contains { $0 != " " } }
    let keys = lines.prefix(maximumKeys).compactMap { LogKey($0) }
    return keys.count == lines.count ? keys : nil
  }

  /// The first four bytes of SHA-256 over name, line feed, 1 and key: tells keys of one name apart.
  public var identifier: [UInt8] {
    Array(SHA256.hash(Array(name.utf8) + [0x0A, LogKey.ed25519] + publicKey).prefix(4))
  }

  /// One line.
  public var description: String {
    "\(name)+\(hexadecimal(identifier))+\(Base64.encode([LogKey.ed25519] + publicKey))"
  }

  /// Whether a text may be the name of a log: no blanks, no plus.
  static func isName(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.count <= 256 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2B && $0 != 0x7F }
  }
}

import Core
import Glibc
import Protobuf

/// Why the key file cannot be used: one line for the person who must act.
public struct WebhookKeyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line.
  public let description: String
}

/// What the secrets of a service's webhooks are derived from: 32 bytes in a file of mode 0600. No secret is in the database, so
/// that who reads a backup can sign nothing; who loses the file must rotate all secrets.
public struct WebhookKey: Sendable {
  private static let byteCount = 32
  private let bytes: [UInt8]

  /// The key in a file, which is made if it is not there. Replicas of a service need the same.
  public init(path: String, random: some RandomSource) throws(WebhookKeyError) {
    if let bytes = try WebhookKey.read(path) {
      self.bytes = bytes
      return
    }
    var fresh: [UInt8] = []
    while fresh.count < WebhookKey.byteCount { withUnsafeBytes(of: random.next()) { fresh.append(contentsOf: $0) } }
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      throw WebhookKeyError(
        description: "cannot make the webhooks' key file \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    guard write(file, fresh, fresh.count) == fresh.count, fsync(file) == 0 else {
      throw WebhookKeyError(description: "cannot write the webhooks' key file \(path); free some disk space")
    }
    bytes = fresh
  }

  /// What a webhook's posts are signed with in one generation; each rotation has the next.
  func secret(of webhook: String, generation: Int64) -> [UInt8] {
    HMAC.sha256(key: bytes, Array("webhook secret \(webhook) \(generation)".utf8))
  }

  /// What a source's posts to us are signed with in one generation.
  func secret(ofSource source: String, generation: Int64) -> [UInt8] {
    HMAC.sha256(key: bytes, Array("webhook source secret \(source) \(generation)".utf8))
  }

  private static func read(_ path: String) throws(WebhookKeyError) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw WebhookKeyError(
        description: "cannot read the webhooks' key file \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var facts = stat()
    guard fstat(file, &facts) == 0, facts.st_mode & 0o077 == 0 else {
      throw WebhookKeyError(description: "the webhooks' key file \(path) may be read by others; set its mode to 0600")
    }
    var bytes = [UInt8](repeating: 0, count: byteCount + 1)
    guard Glibc.read(file, &bytes, bytes.count) == byteCount else {
      throw WebhookKeyError(description: "the webhooks' key file \(path) does not hold \(byteCount) bytes")
    }
    return Array(bytes.prefix(byteCount))
  }
}

/// RFC 2104 over SHA-256.
enum HMAC {
  static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var block = key.count > 64 ? SHA256.hash(key) : key
    block += [UInt8](repeating: 0, count: 64 - block.count)
    return SHA256.hash(block.map { $0 ^ 0x5C } + SHA256.hash(block.map { $0 ^ 0x36 } + message))
  }
}

/// The headers by which an endpoint knows that a post is ours, as standardwebhooks.com describes them.
enum WebhookSignature {
  /// How a secret is shown.
  static func text(_ secret: [UInt8]) -> String { "whsec_" + Base64.encode(secret) }

  /// Whether one of the first `most` signatures of a header is one of these secrets' over what was sent. Takes as long wherever they
  /// differ.
  static func isSigned(
    _ header: String, id: String, timestamp: String, body: [UInt8], secrets: [[UInt8]], most: Int
  ) -> Bool {
    let signed = Array("\(id).\(timestamp).".utf8) + body
    let expected = secrets.map { HMAC.sha256(key: $0, signed) }
    var isRight = false
    for word in header.split(separator: " ").prefix(most) where word.hasPrefix("v1,") {
      let given = Base64.decode(word.dropFirst(3)) ?? []
      for one in expected where areEqual(one, given) { isRight = true }
    }
    return isRight
  }

  private static func areEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool {
    guard first.count == second.count else { return false }
    var difference: UInt8 = 0
    for index in first.indices { difference |= first[index] ^ second[index] }
    return difference == 0
  }

  /// The headers for a body at a time, signed with each of the secrets.
  static func headers(
    id: String, at time: Timestamp, body: [UInt8], secrets: [[UInt8]]
  ) -> [(name: String, value: String)] {
    let signed = Array("\(id).\(time.seconds).".utf8) + body
    let signatures = secrets.map { "v1," + Base64.encode(HMAC.sha256(key: $0, signed)) }
    return [
      ("content-type", "application/json"), ("webhook-id", id), ("webhook-timestamp", "\(time.seconds)"),
      ("webhook-signature", signatures.joined(separator: " ")),
    ]
  }
}

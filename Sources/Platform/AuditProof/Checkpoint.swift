import Core
import Signatures

/// What a log says of itself at one moment: so many leaves, and this root over them. Signed as a note in the forms of C2SP
/// (signed-note, tlog-checkpoint):
///
///     mainstay/customer/5a1c-99e2            the origin: name of the log, and its epoch
///     4711                                   leaves
///     nWnBh2…=                               root, base64
///     time 2026-11-21T08:30:00.000000Z 1795249800000000
///
///     — mainstay/customer Xo4Sqz…=           key id and signature of the text down to the empty line
public struct Checkpoint: Hashable, Sendable {
  /// Why a note is not taken.
  public struct Refused: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line.
    public let description: String
  }

  /// Most bytes of a note that is read.
  public static let maximumBytes = 4_096

  /// Name of the log, which its key has too: "mainstay/customer".
  public let name: String
  /// Which life of the database: a restore begins another.
  public let epoch: String
  /// Number of leaves.
  public let size: Int64
  /// Root over them.
  public let root: MerkleHash
  /// When it was signed.
  public let time: Timestamp

  /// What a log says of itself.
  public init(name: String, epoch: String, size: Int64, root: MerkleHash, time: Timestamp) {
    (self.name, self.epoch, self.size, self.root, self.time) = (name, epoch, size, root, time)
  }

  /// Name and epoch: what stays the same in all checkpoints that must agree with each other.
  public var origin: String { "\(name)/\(epoch)" }

  /// The signed text.
  public var text: String {
    "\(origin)\n\(size)\n\(root.base64)\ntime \(time.iso8601) \(time.microsecondsSinceEpoch)\n"
  }

  /// The note, signed.
  public func note(signedBy key: SigningKey) throws(KeyError) -> String {
    let identifier = LogKey(name: name, publicKey: key.publicKey).identifier
    let signature = try key.signature(of: Array(text.utf8))
    return "\(text)\n— \(name) \(Base64.encode(identifier + signature))\n"
  }

  /// The checkpoint of a note that one of these keys has signed.
  public init(note: String, keys: [LogKey]) throws(Refused) {
    let (checkpoint, text, signatures) = try Checkpoint.parse(note)
    let own = keys.filter { $0.name == checkpoint.name }
    guard !own.isEmpty else { throw Refused(description: "no key of \(checkpoint.name) is known") }
    let isSigned = signatures.contains { signature in
      own.contains { key in
        signature.name == key.name && signature.bytes.count == 68 && Array(signature.bytes.prefix(4)) == key.identifier
          && SignatureCheck.holds(Array(signature.bytes.dropFirst(4)), of: Array(text.utf8), key: key)
      }
    }
    guard isSigned else { throw Refused(description: "it is not signed by \(checkpoint.name)") }
    self = checkpoint
  }

  /// The checkpoint of a note whose signature nobody has looked at.
  public init(unverified note: String) throws(Refused) { self = try Checkpoint.parse(note).checkpoint }

  /// The note's parts; its text must be just what the checkpoint would be written as.
  private static func parse(
    _ note: String
  ) throws(Refused) -> (checkpoint: Checkpoint, text: String, signatures: [(name: String, bytes: [UInt8])]) {
    guard note.utf8.count <= maximumBytes else { throw Refused(description: "it is too long") }
    let lines = note.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 6, lines[4].isEmpty else { throw Refused(description: "it is not a checkpoint") }
    let time = lines[3].split(separator: " ")
    guard let slash = lines[0].lastIndex(of: "/"), LogKey.isName(lines[0]), let size = Int64(lines[1]), size >= 0,
      let root = Base64.decode(lines[2]).flatMap({ MerkleHash($0) }), time.count == 3,
      let microseconds = Int64(time[2]), Timestamp.writable.contains(microseconds)
    else { throw Refused(description: "it is not a checkpoint") }
    let checkpoint = Checkpoint(
      name: String(lines[0][..<slash]), epoch: String(lines[0][lines[0].index(after: slash)...]), size: size,
      root: root, time: Timestamp(microsecondsSinceEpoch: microseconds))
    let text = lines[..<4].joined(separator: "\n") + "\n"
    guard text == checkpoint.text else { throw Refused(description: "it is not a checkpoint") }
    let signatures = lines[5...].compactMap { line -> (name: String, bytes: [UInt8])? in
      let parts = line.split(separator: " ")
      // The same bytes written in another way would be another note.
      guard parts.count == 3, parts[0] == "—", let bytes = Base64.decode(parts[2]), Base64.encode(bytes) == parts[2]
      else { return nil }
      return (String(parts[1]), bytes)
    }
    return (checkpoint, text, signatures)
  }
}

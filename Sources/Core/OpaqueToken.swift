/// A short list of values as one URL-safe text that clients hand back unread: page tokens and resume tokens.
///
/// Shape before base64url: kind byte, the fields (tag byte, then 8 bytes or 2 bytes of length and UTF-8), 4 bytes of
/// checksum. The checksum finds cut and mistyped tokens; it is no signature, so a token must hold nothing that
/// grants access.
public enum OpaqueToken {
  /// What a token is for; a token of one kind is not taken for another.
  public enum Kind: UInt8, Sendable {
    /// Where a List goes on.
    case page = 1
    /// Where a subscription goes on.
    case resume = 2
  }

  /// One value of a token.
  public enum Field: Hashable, Sendable {
    /// A whole number.
    case integer(Int64)
    /// A text of at most 65,535 bytes of UTF-8; what is longer is cut when it is encoded.
    case text(String)
  }

  /// Not a token of this kind: garbage, cut, or made for something else.
  public struct Malformed: Error, Hashable, Sendable {
    /// Nothing to say about it: its content is the client's.
    public init() {}
  }

  /// Longest text that is looked at, in characters.
  public static let maximumCharacters = 8_192

  /// The token's text.
  public static func encode(_ kind: Kind, _ fields: [Field]) -> String {
    var bytes: [UInt8] = [kind.rawValue]
    for field in fields {
      switch field {
      case .integer(let number):
        bytes.append(integerTag)
        append(UInt64(bitPattern: number), count: 8, to: &bytes)
      case .text(let text):
        let utf8 = text.utf8.prefix(0xFFFF)
        bytes.append(textTag)
        append(UInt64(utf8.count), count: 2, to: &bytes)
        bytes.append(contentsOf: utf8)
      }
    }
    append(checksum(bytes), count: 4, to: &bytes)
    return Base64.encode(bytes, urlSafe: true)
  }

  /// The fields of a token.
  public static func decode(_ kind: Kind, _ text: String) throws(Malformed) -> [Field] {
    guard text.utf8.count <= maximumCharacters, let bytes = Base64.decode(text), bytes.count >= 5,
      bytes[0] == kind.rawValue
    else { throw Malformed() }
    let body = bytes.dropLast(4)
    guard number(bytes.suffix(4)) == checksum(body) else { throw Malformed() }
    var rest = body.dropFirst()
    func take(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
      guard rest.count >= count else { throw Malformed() }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    var fields: [Field] = []
    while let tag = rest.popFirst() {
      switch tag {
      case integerTag: fields.append(.integer(Int64(bitPattern: number(try take(8)))))
      case textTag:
        guard let text = String(validating: try take(Int(number(try take(2)))), as: UTF8.self) else {
          throw Malformed()
        }
        fields.append(.text(text))
      default: throw Malformed()
      }
    }
    return fields
  }

  private static let integerTag: UInt8 = 1
  private static let textTag: UInt8 = 2

  private static func append(_ number: UInt64, count: Int, to bytes: inout [UInt8]) {
    for position in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(position * 8))) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(bytes)
    return (fingerprint.value ^ fingerprint.value >> 32) & 0xFFFF_FFFF
  }
}

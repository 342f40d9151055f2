/// The encoding of grpc-message: printable ASCII but "%" stands for itself, all else is %XX of its UTF-8.
public enum PercentEncoding {
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// At most so many bytes: a longer text is cut after a whole character (a Unicode scalar).
  static func encode(_ text: String, maximumBytes: Int = .max) -> String {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      let length = bytes.count
      for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
        if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
          bytes.append(byte)
        } else {
          bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
      }
      if bytes.count > maximumBytes {
        bytes.removeSubrange(length...)
        break
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What is not an encoding stays as it is, since a message must never be lost for its form.
  static func decode(_ text: String) -> String { String(decoding: decodedBytes(text), as: UTF8.self) }

  /// The bytes that a text stands for; what is not an encoding stays as it is.
  public static func decodedBytes(_ text: some StringProtocol) -> [UInt8] {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count, let high = value(bytes[position + 1]),
        let low = value(bytes[position + 2])
      {
        decoded.append(high << 4 | low)
        position += 3
      } else {
        decoded.append(bytes[position])
        position += 1
      }
    }
    return decoded
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}

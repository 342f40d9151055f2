/// A fault that is planted in a connection: frames that never go out. It shows that the simulation would notice.
public enum Sabotage: String, CaseIterable, Sendable {
  /// Credit for the connection.
  case connectionCredit
  /// Credit for single streams.
  case streamCredit
  /// RST_STREAM.
  case resets
  /// GOAWAY.
  case goAways
  /// A reply's last headers.
  case trailers
  /// A request's last, empty frame.
  case requestEnds

  private static let headerBytes = 9

  /// Whether this output, a whole frame, is lost (RFC 9113, 6).
  func loses(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard frame.count >= Sabotage.headerBytes else { return false }
    let (type, isEnd) = (frame[3], frame[4] & 1 != 0)
    let isOfConnection = frame[5..<Sabotage.headerBytes].allSatisfy { $0 == 0 }
    return switch self {
    case .connectionCredit: type == 8 && isOfConnection
    case .streamCredit: type == 8 && !isOfConnection
    case .resets: type == 3
    case .goAways: type == 7
    case .trailers: type == 1 && isEnd
    case .requestEnds: type == 0 && isEnd && frame.count == Sabotage.headerBytes
    }
  }
}

/// What a caller has sent of its request, kept so that it can be sent once more while no answer has begun (gRFC A6). A pure value. The bytes are shared with what is queued to be sent, not copied.
public struct HeldRequest {
  /// A streamed request of which something has left us is kept up to this size. A single message is kept whatever its size.
  public static let streamedBytes = 65_536

  /// Most calls have one message, which needs no list.
  private var first: [UInt8]?
  private var later: [[UInt8]] = []
  /// Bytes of the messages that are kept.
  public private(set) var bytes = 0
  /// Whether the caller has no more to send.
  public var hasEnded = false
  /// Whether all that was sent is here.
  public private(set) var isWhole = true

  /// Nothing yet.
  public init() {}

  /// Keeps a message with its prefix, or any piece of the request.
  public mutating func add(_ frame: [UInt8]) {
    guard isWhole else { return }
    bytes += frame.count
    if first == nil { first = frame } else { later.append(frame) }
  }

  /// Keeps nothing any more.
  public mutating func forget() {
    isWhole = false
    first = nil
    later = []
    bytes = 0
  }

  /// The messages in their order.
  public func forEach(_ body: ([UInt8]) -> Void) {
    if let first { body(first) }
    for frame in later { body(frame) }
  }
}

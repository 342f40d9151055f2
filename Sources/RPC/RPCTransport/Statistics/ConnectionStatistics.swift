import Synchronization

/// What has happened on a connection, or on several together. Plain numbers that the connection's loop counts up as it goes;
/// they are put together when somebody asks.
public struct ConnectionStatistics: Sendable, Equatable {
  /// Streams that were opened by either side.
  public var streamsStarted = 0
  /// Streams that came to their regular end.
  public var streamsSucceeded = 0
  /// Streams that were reset, or cut with their connection.
  public var streamsFailed = 0
  /// gRPC messages; the gateway, which does not look into streams, counts none.
  public var messagesSent = 0
  /// gRPC messages; as above.
  public var messagesReceived = 0
  /// Bytes of HTTP/2, within TLS.
  public var bytesSent = 0
  /// Bytes of HTTP/2, within TLS.
  public var bytesReceived = 0
  /// Connections whose TLS session was resumed.
  public var sessionsResumed = 0
  /// When the last stream was opened, on the loop's monotonic clock; 0 if none was.
  public var lastStreamNanoseconds: UInt64 = 0

  /// Nothing yet.
  public init() {}

  /// Adds another connection's.
  public static func += (total: inout ConnectionStatistics, other: ConnectionStatistics) {
    total.streamsStarted += other.streamsStarted
    total.streamsSucceeded += other.streamsSucceeded
    total.streamsFailed += other.streamsFailed
    total.messagesSent += other.messagesSent
    total.messagesReceived += other.messagesReceived
    total.bytesSent += other.bytesSent
    total.bytesReceived += other.bytesReceived
    total.sessionsResumed += other.sessionsResumed
    total.lastStreamNanoseconds = max(total.lastStreamNanoseconds, other.lastStreamNanoseconds)
  }
}

private let lastIdentifier = Atomic<Int64>(0)

/// A number that no other connection, channel or server of this process has.
func nextChannelIdentifier() -> Int64 { lastIdentifier.add(1, ordering: .relaxed).newValue }

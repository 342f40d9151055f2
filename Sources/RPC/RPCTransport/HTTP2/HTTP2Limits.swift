/// What a connection grants its peer. Each limit bounds memory or work that a peer could otherwise ask for.
public struct HTTP2Limits: Sendable, Equatable {
  /// Streams that the peer may have open at once.
  public var concurrentStreams: UInt32 = 1_000
  /// Bytes that may be on their way to us on one stream.
  public var streamWindowBytes: Int32 = 1_048_576
  /// Bytes that may be on their way to us on one connection.
  public var connectionWindowBytes: Int32 = 4_194_304
  /// Size of a request's or reply's headers, counted as in RFC 9113, 6.5.2.
  public var headerListBytes: Int = 16_384
  /// Resets that the peer may send in a burst, and then each second (CVE-2023-44487).
  public var resetBurst: UInt64 = 1_000
  /// Resets that the peer may send each second in the long run.
  public var resetsPerSecond: UInt64 = 100
  /// CONTINUATION frames behind one HEADERS frame.
  public var continuations: Int = 8

  /// Frames that do nothing (pings, settings, empty data) which a peer may send in ten seconds beyond what its calls pay for.
  public var overheadFrames = 1_000

  /// Bytes queued for the peer and kept for handlers beyond which no stream is taken, and streams get credit one at a time.
  public var heldBytes = 16_777_216
  /// Bytes beyond which a call that adds to them fails with RESOURCE_EXHAUSTED.
  public var mostHeldBytes = 134_217_728

  /// Streams that a client has open at once, with those that wait until the peer lets them begin.
  public var openStreams: Int = 65_536
  /// Streams that a client opens on one connection before it takes another; HTTP/2 has numbers for 2³⁰.
  public var streamsPerConnection: Int = 1_000_000_000

  /// The defaults.
  public init() {}
}

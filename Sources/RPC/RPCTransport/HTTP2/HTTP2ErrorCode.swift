import CNghttp2

/// HTTP/2's error codes (RFC 9113, 7) for whoever resets streams or hears of their end without knowing nghttp2.
public enum HTTP2ErrorCode {
  /// Nothing of the stream was looked at: it may be sent again.
  public static let refusedStream = NGHTTP2_REFUSED_STREAM.rawValue
  /// The stream is not needed any more.
  public static let cancel = NGHTTP2_CANCEL.rawValue
  /// The peer asks for too much.
  public static let enhanceYourCalm = NGHTTP2_ENHANCE_YOUR_CALM.rawValue
}

import CNghttp2

/// Signs of life, drain and stalls. What needs a clock is asked for by the owner, who has one.
extension HTTP2Connection {
  /// What our pings carry, so that their answers are told apart.
  private enum Ping: UInt8 {
    case keepalive = 1
    case drain = 2
  }

  /// Most bytes of a GOAWAY's debug data that are sent.
  private static let goAwayTextBytes = 128

  /// Asks the peer for a sign of life; any bytes are one.
  public func ping() { submit(.keepalive) }

  /// Ends the connection without losing a call (RFC 9113, 6.8): tells the peer that the end is near and still takes streams
  /// that cross that news on their way; when a ping has come back the peer knows, and no more streams are taken.
  public func drain() {
    guard !isDraining, !isClosing else { return }
    isDraining = true
    nghttp2_submit_shutdown_notice(session)
    requestFlush()
  }

  /// The ping follows when the news has gone out: nghttp2 sends pings before all else, and one that overtook the news would come
  /// back from a peer that knows nothing yet, whose next streams would be refused.
  func sentGoAway() {
    if isDraining, !isClosing { submit(.drain) }
  }

  /// The second step of a drain: no stream after the last one that has come is taken.
  public func refuseStreams() {
    guard !isClosing else { return }
    isClosing = true
    submitGoAway(NGHTTP2_NO_ERROR.rawValue, "")
    delegate?.connectionRefusedStreams()
  }

  /// Resets the streams on which the peer has made us wait for so many looks: it takes none of the data that are there for
  /// it, or has stopped in the middle of a message although it may go on.
  public func resetStalledStreams(after patience: UInt32) {
    looks &+= 1
    for stream in streams.values where stream.hasStalled(at: looks, patience: patience) {
      stream.reset(NGHTTP2_CANCEL.rawValue)
    }
  }

  /// gRPC's words for a peer that pings too often (gRFC A8).
  private static let pingComplaint = "too_many_pings"

  /// Ends a connection whose peer pings too often.
  func condemnPings() { condemn(NGHTTP2_ENHANCE_YOUR_CALM.rawValue, HTTP2Connection.pingComplaint) }

  /// Whether a GOAWAY says that we ping too often.
  func isComplaintAboutPings(_ errorCode: UInt32, _ reason: UnsafeRawBufferPointer) -> Bool {
    errorCode == NGHTTP2_ENHANCE_YOUR_CALM.rawValue && reason.elementsEqual(HTTP2Connection.pingComplaint.utf8)
  }

  func receivedPing(isAnswer: Bool, _ kind: UInt8) {
    guard isAnswer else {
      delegate?.connectionReceivedPing()
      return
    }
    if isDraining, kind == Ping.drain.rawValue { refuseStreams() }
  }

  private func submit(_ ping: Ping) {
    let payload: [UInt8] = [ping.rawValue, 0, 0, 0, 0, 0, 0, 0]
    nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), payload)
    requestFlush()
  }

  func submitGoAway(_ errorCode: UInt32, _ reason: String) {
    let text = Array(reason.utf8.prefix(HTTP2Connection.goAwayTextBytes))
    nghttp2_submit_goaway(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session), errorCode, text,
      text.count)
    requestFlush()
  }
}

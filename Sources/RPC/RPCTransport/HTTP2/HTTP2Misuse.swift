import CNghttp2

/// What HTTP/2 allows a peer to send for ever although it does nothing: it pays from an allowance, which calls fill again.
extension HTTP2Connection {
  /// Streams that were reset by us, of which late frames are no fault of the peer: so many of the last ones are known.
  private static let knownResets = 256
  /// What a malformed frame or block of headers costs, compared with a ping.
  private static let malformedCost = 10
  /// What a new stream adds to the allowance.
  private static let streamEarnings = 8

  /// A frame comes in; nothing of it but its header was read.
  func beganFrame(_ header: nghttp2_frame_hd) {
    let isEnd = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue:
      guard role == .server else { return }
      if header.stream_id > lastStream { return earn(HTTP2Connection.streamEarnings) }
      if isOfClosedStream(header.stream_id) { condemn(NGHTTP2_STREAM_CLOSED.rawValue, "headers on a closed stream") }
    case NGHTTP2_DATA.rawValue:
      if header.length == 0, !isEnd { spend(1) } else { earn(1) }
      guard role == .server, header.stream_id <= lastStream, isOfClosedStream(header.stream_id) else { return }
      spend(1)
      nghttp2_submit_rst_stream(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), header.stream_id, NGHTTP2_STREAM_CLOSED.rawValue)
    case NGHTTP2_RST_STREAM.rawValue, NGHTTP2_WINDOW_UPDATE.rawValue, NGHTTP2_CONTINUATION.rawValue: break
    default: spend(1)
    }
  }

  /// A frame or block of headers has cost the peer its stream, or would have.
  func receivedMalformed() { spend(HTTP2Connection.malformedCost) }

  /// A reset has gone out: what the peer sent before it knew is no fault.
  func sentReset(_ id: Int32) {
    if resets.count < HTTP2Connection.knownResets {
      resets.append(id)
    } else {
      resets[oldestReset] = id
      oldestReset = (oldestReset + 1) % HTTP2Connection.knownResets
    }
  }

  /// Data that go out are a reason for the peer's frames.
  func earn(_ frames: Int) { allowance = min(limits.overheadFrames, allowance + frames) }

  private func spend(_ frames: Int) {
    allowance -= frames
    guard allowance <= 0 else { return }
    if delegate?.connectionSpentAllowance() == true {
      allowance = limits.overheadFrames
    } else {
      condemn(NGHTTP2_ENHANCE_YOUR_CALM.rawValue, "too many frames that do nothing")
    }
  }

  private func isOfClosedStream(_ id: Int32) -> Bool {
    id > 0 && id % 2 == 1 && stream(id) == nil && !resets.contains(id)
  }
}

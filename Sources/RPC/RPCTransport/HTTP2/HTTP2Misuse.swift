import CNghttp2

/// What HTTP/2 allows a peer to send for ever although it does nothing: it pays from an allowance, which calls fill again.
extension HTTP2Connection {
  /// Streams that were reset by us, of which late frames are no fault of the peer: so many of the last ones are known.
  private static let knownResets = 256
  /// What a malformed frame costs, compared with a ping.
  private static let malformedCost = 10
  /// What headers beyond the limit cost: a byte of them may stand for thousands that must be looked at.
  private static let largeHeadersCost = 60
  /// What a new stream adds to the allowance.
  private static let streamEarnings = 8

  /// Looks at the frames that are about to be taken.
  func inspect(_ bytes: UnsafeRawBufferPointer) {
    var scanner = scanner
    scanner.scan(bytes) { inspect($0) }
    self.scanner = scanner
  }

  private func inspect(_ frame: FrameScanner.Header) {
    switch UInt32(frame.type) {
    case NGHTTP2_HEADERS.rawValue:
      if frame.stream > lastStream { return earn(HTTP2Connection.streamEarnings) }
      if isOfClosedStream(frame.stream) { condemn(NGHTTP2_STREAM_CLOSED.rawValue, "headers on a closed stream") }
    case NGHTTP2_DATA.rawValue:
      let isEnd = frame.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
      if frame.length == 0, !isEnd { spend(1) } else { earn(1) }
      guard frame.stream <= lastStream, isOfClosedStream(frame.stream) else { return }
      spend(1)
      nghttp2_submit_rst_stream(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), frame.stream, NGHTTP2_STREAM_CLOSED.rawValue)
    case NGHTTP2_RST_STREAM.rawValue, NGHTTP2_WINDOW_UPDATE.rawValue, NGHTTP2_CONTINUATION.rawValue: break
    default: spend(1)
    }
  }

  /// A frame was no HTTP/2 and has cost the peer its stream.
  func receivedMalformed() { spend(HTTP2Connection.malformedCost) }

  /// Headers were too large and have cost the peer its stream.
  func receivedLargeHeaders() { spend(HTTP2Connection.largeHeadersCost) }

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

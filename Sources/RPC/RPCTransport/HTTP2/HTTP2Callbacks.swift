import CNghttp2

/// The C side of `HTTP2Connection`: each callback finds its connection and passes on what happened. Made once.
///
/// `nonisolated(unsafe)`: written once before its first use and read-only afterwards, also for nghttp2.
nonisolated(unsafe) let http2Callbacks: OpaquePointer? = {
  var callbacks: OpaquePointer?
  guard nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, _, _, user in
    withConnection(user, orElse: ()) { $0.receivedMalformed() }
    return 0
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
    guard let frame else { return 0 }
    return withConnection(user, orElse: 0) { $0.began(frame.pointee.hd.stream_id) }
  }
  nghttp2_session_callbacks_set_on_header_callback(callbacks) {
    _, frame, name, nameLength, value, valueLength, flags, user in
    guard let frame else { return 0 }
    return withConnection(user, orElse: 0) {
      $0.receivedField(
        frame.pointee.hd.stream_id, name: UnsafeBufferPointer(start: name, count: nameLength),
        value: UnsafeBufferPointer(start: value, count: valueLength), flags: flags)
    }
  }
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, data, length, user in
    withConnection(user, orElse: ()) { $0.receivedData(id, UnsafeRawBufferPointer(start: data, count: length)) }
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
    guard let frame else { return 0 }
    let header = frame.pointee.hd
    let endStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
    withConnection(user, orElse: ()) { connection in
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue: connection.receivedHeaders(header.stream_id, endStream: endStream)
      case NGHTTP2_DATA.rawValue where endStream: connection.receivedEnd(header.stream_id)
      case NGHTTP2_GOAWAY.rawValue:
        let end = frame.pointee.goaway
        connection.receivedGoAway(
          end.error_code, UnsafeRawBufferPointer(start: end.opaque_data, count: end.opaque_data_len))
      case NGHTTP2_PING.rawValue:
        let isAnswer = header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
        connection.receivedPing(isAnswer: isAnswer, frame.pointee.ping.opaque_data.0)
      default: break
      }
    }
    return 0
  }
  nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks) { _, _, _, _, _, _, _ in dataFrameBytes }
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, errorCode, user in
    withConnection(user, orElse: ()) { $0.closed(id, errorCode) }
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
    guard let header = frame?.pointee.hd else { return 0 }
    withConnection(user, orElse: ()) { connection in
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
        connection.sentPayload(header.stream_id, isEnd: header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0)
      case NGHTTP2_RST_STREAM.rawValue: connection.sentReset(header.stream_id)
      case NGHTTP2_GOAWAY.rawValue: connection.sentGoAway()
      default: break
      }
    }
    return 0
  }
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, user in
    guard let header = frame?.pointee.hd, UInt32(header.type) == NGHTTP2_HEADERS.rawValue else { return 0 }
    withConnection(user, orElse: ()) { $0.couldNotSendHeaders(header.stream_id) }
    return 0
  }
  return callbacks
}()

/// Most bytes of a DATA frame: with its header it fills a TLS record, where 9 more bytes would take a record of their own. The
/// windows and the peer's largest frame may make it less.
private let dataFrameBytes = 16_384 - 9

/// Whoever called nghttp2 holds the connection, so that no callback has to: some come for each header field.
@inline(__always)
private func withConnection<Result>(
  _ user: UnsafeMutableRawPointer?, orElse fallback: Result, _ body: (HTTP2Connection) -> Result
) -> Result {
  guard let user else { return fallback }
  return Unmanaged<HTTP2Connection>.fromOpaque(user)._withUnsafeGuaranteedRef(body)
}

/// Where nghttp2 gets a stream's body from.
func dataProvider(_ stream: HTTP2Stream) -> nghttp2_data_provider {
  var provider = nghttp2_data_provider()
  provider.source.ptr = Unmanaged.passUnretained(stream).toOpaque()
  provider.read_callback = { _, _, buffer, length, flags, source, _ in
    guard let pointer = source?.pointee.ptr, let buffer, let flags else {
      return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    return Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue().fill(buffer, length, flags)
  }
  return provider
}

/// nghttp2's own limits: windows are opened by hand so that a slow reader slows the sender; floods end the connection.
func makeOptions(_ limits: HTTP2Limits) -> OpaquePointer? {
  var options: OpaquePointer?
  guard nghttp2_option_new(&options) == 0 else { return nil }
  nghttp2_option_set_no_auto_window_update(options, 1)
  nghttp2_option_set_no_closed_streams(options, 1)
  nghttp2_option_set_stream_reset_rate_limit(options, limits.resetBurst, limits.resetsPerSecond)
  nghttp2_option_set_max_continuations(options, limits.continuations)
  return options
}

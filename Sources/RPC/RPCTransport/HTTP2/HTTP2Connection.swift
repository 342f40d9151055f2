import CNghttp2
import Glibc

/// Which end of a connection this is.
public enum HTTP2Role: Sendable {
  /// Opens streams.
  case client
  /// Answers them.
  case server
}

/// Who owns a connection: the one who carries its bytes and takes its streams.
public protocol HTTP2ConnectionDelegate: AnyObject {
  /// There is output: call `HTTP2Connection.nextOutput` soon, and not from here.
  func connectionNeedsFlush()
  /// The peer has opened a stream; nil refuses it.
  func connectionOpened(_ stream: HTTP2Stream) -> (any HTTP2StreamHandler)?
  /// The peer will take no more streams, or the connection has had as many as it can.
  func connectionReceivedGoAway()
  /// A stream has ended; `activeStreams` are left.
  func connectionClosedStream()
  /// The peer asks for a sign of life, which it gets.
  func connectionReceivedPing()
  /// The peer has used up its allowance of frames that do nothing: true if that took long enough, and it gets another one.
  func connectionSpentAllowance() -> Bool
  /// The last step of `HTTP2Connection.drain`: no stream is taken any more.
  func connectionRefusedStreams()
}

extension HTTP2ConnectionDelegate {
  /// Whoever has no clock cannot say what is too often.
  public func connectionReceivedPing() {}
  /// Whoever has no clock gives one allowance.
  public func connectionSpentAllowance() -> Bool { false }
  /// Nothing is to be done: the streams end when they do.
  public func connectionRefusedStreams() {}
}

/// An HTTP/2 connection as a state machine over nghttp2: bytes in by `receive`, bytes out by `nextOutput`. It knows no socket
/// and no clock, so that two of them can be joined by anything. Confined to one loop.
public final class HTTP2Connection {
  /// Which end this is.
  public let role: HTTP2Role
  /// Who owns it.
  public weak var delegate: (any HTTP2ConnectionDelegate)?
  let limits: HTTP2Limits
  let budget: ByteBudget
  /// Bytes queued for the peer and kept for handlers, and what the budget was told of them.
  var heldBytes = 0
  var toldBytes = 0
  /// Streams whose credit waits until less is held; the first one gets its own.
  var creditors: [HTTP2Stream] = []
  /// Frames that do nothing which the peer may still send.
  var allowance: Int
  var scanner = FrameScanner()
  /// The last streams that we have reset, in a ring.
  var resets: [Int32] = []
  var oldestReset = 0
  /// The highest stream that the peer has opened.
  private(set) var lastStream: Int32 = 0
  /// Whether the peer has ended the connection because we ping too often.
  private(set) var hasPingedTooOften = false
  /// Why the connection must be closed, if it must.
  private(set) var condemnation: String?
  private(set) var session: OpaquePointer?
  private(set) var streams: [Int32: HTTP2Stream] = [:]
  private var openedStreams = 0
  /// Headers of the frame that is being read: frames come one at a time, so one block serves them all.
  private var incoming = HeaderBlock()
  private var hasTooLargeHeaders = false
  /// Whether the delegate was told of output and has not asked for it yet.
  private var hasRequestedFlush = false
  private var isReceiving = false
  private var isAborted = false
  /// Whom a client's connection leads to; whoever makes calls tells it what comes of them.
  public internal(set) var replica: Replica?
  /// What has happened on it.
  public internal(set) var statistics = ConnectionStatistics()
  /// Whether either side has said that no new stream is taken.
  public internal(set) var isClosing = false
  var isDraining = false
  /// Whether headers or data have gone out since the peer's last ping.
  var hasSentPayload = false
  /// Number of looks for stalls so far: the clock of `HTTP2Stream`.
  var looks: UInt32 = 0
  private var headerBlocks = 0
  /// Number of the header block that has begun and not ended; nil if there is none.
  private(set) var openHeaderBlock: Int?

  /// A connection at its beginning; its preface and SETTINGS are the first output. Nil if there is no memory.
  public init?(role: HTTP2Role, limits: HTTP2Limits = .init(), budget: ByteBudget = .process) {
    self.role = role
    self.limits = limits
    self.budget = budget
    allowance = limits.overheadFrames
    let context = Unmanaged.passUnretained(self).toOpaque()
    let options = makeOptions(limits)
    defer { nghttp2_option_del(options) }
    let result =
      role == .client
      ? nghttp2_session_client_new2(&session, http2Callbacks, context, options)
      : nghttp2_session_server_new2(&session, http2Callbacks, context, options)
    guard result == 0 else { return nil }
    submitSettings()
  }

  deinit {
    budget.add(-toldBytes)
    nghttp2_session_del(session)
  }

  /// Streams that are open.
  public var activeStreams: Int { streams.count }

  /// Whether nothing more is to be read or written.
  public var isDone: Bool {
    nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  /// Streams that the peer lets us have open at once.
  public var peerConcurrentStreams: Int {
    Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  /// Size of the headers that the peer takes, counted as in RFC 9113, 6.5.2; nghttp2 itself sends no more than 64 KiB.
  public var peerHeaderListBytes: Int {
    min(60_000, Int(nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE)))
  }

  // MARK: bytes

  /// Takes bytes from the peer. False means that the connection is broken beyond use: flush, then close.
  public func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard !isAborted, condemnation == nil else { return false }
    if role == .server { inspect(bytes) }
    guard condemnation == nil else { return false }
    isReceiving = true
    let taken = nghttp2_session_mem_recv(session, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
    isReceiving = false
    if nghttp2_session_want_write(session) != 0 || nghttp2_session_want_read(session) == 0 { requestFlush() }
    return taken == bytes.count && condemnation == nil
  }

  /// Copies the next piece of output to the buffer's begin if it fits, and says how long it is: 0 when there is none now.
  /// A piece is at most 16,393 bytes long (a full DATA frame). Nil means that the connection is broken.
  public func nextOutput(_ buffer: UnsafeMutableRawBufferPointer) -> Int? {
    guard !isAborted else { return nil }
    hasRequestedFlush = false
    var piece: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(session, &piece)
    guard count >= 0, count <= buffer.count else { return nil }
    if count > 0, let piece, let base = buffer.baseAddress { memcpy(base, piece, count) }
    return count
  }

  /// The carrier is gone: all streams end with CANCEL, and their `abortReason` says why.
  public func abort(_ reason: String) {
    isClosing = true
    isAborted = true
    let ended = streams
    streams.removeAll()
    for stream in ended.values {
      // nghttp2 may be at work further up the stack, and must not find a stream that is gone.
      nghttp2_session_set_stream_user_data(session, stream.id, nil)
      stream.abortReason = reason
      // nghttp2 knows a client's stream from when its headers go out.
      if nghttp2_session_find_stream(session, stream.id) == nil { stream.wasNotSent = true }
      statistics.streamsFailed += 1
      close(stream, NGHTTP2_CANCEL.rawValue)
    }
  }

  /// Tells the delegate of output, once until it asks for it; while bytes come in, at their end.
  func requestFlush() {
    guard !isReceiving, !hasRequestedFlush, let delegate else { return }
    hasRequestedFlush = true
    delegate.connectionNeedsFlush()
  }

  // MARK: streams

  /// Opens a stream as client. The handler is told `closed` if the peer does not take it. Nil if no stream can be opened.
  public func open(_ headers: HeaderBlock, handler: any HTTP2StreamHandler) -> HTTP2Stream? {
    guard !isClosing, streams.count < limits.openStreams else { return nil }
    let stream = HTTP2Stream(id: -1, connection: self)
    stream.handler = handler
    let id = headers.withNghttp2 { values, count in
      var provider = dataProvider(stream)
      return nghttp2_submit_request(session, nil, values, count, &provider, Unmanaged.passUnretained(stream).toOpaque())
    }
    guard id > 0 else { return nil }
    stream.id = id
    streams[id] = stream
    requestFlush()
    // The numbers of streams are used once only, and come to an end on a connection that lives for long.
    openedStreams += 1
    statistics.streamsStarted += 1
    if openedStreams >= limits.streamsPerConnection {
      isClosing = true
      delegate?.connectionReceivedGoAway()
    }
    return stream
  }

  func submitResponse(_ stream: HTTP2Stream, _ headers: HeaderBlock, endStream: Bool) {
    headers.withNghttp2 { values, count in
      if endStream {
        _ = nghttp2_submit_response(session, stream.id, values, count, nil)
      } else {
        var provider = dataProvider(stream)
        _ = nghttp2_submit_response(session, stream.id, values, count, &provider)
      }
    }
    requestFlush()
  }

  func submitTrailers(_ stream: HTTP2Stream, _ trailers: HeaderBlock) {
    _ = trailers.withNghttp2 { nghttp2_submit_trailer(session, stream.id, $0, $1) }
  }

  /// Once for each stream: what comes in meanwhile must not send a second one.
  func submitReset(_ stream: HTTP2Stream, _ errorCode: UInt32) {
    guard streams[stream.id] != nil, !stream.isReset else { return }
    stream.isReset = true
    nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, errorCode)
    requestFlush()
  }

  func resume(_ stream: HTTP2Stream) {
    nghttp2_session_resume_data(session, stream.id)
    requestFlush()
  }

  /// Tells the peer why the connection is about to be closed. `receive` is false from now on.
  func condemn(_ errorCode: UInt32, _ reason: String) {
    guard condemnation == nil else { return }
    condemnation = reason
    isClosing = true
    submitGoAway(errorCode, reason)
  }

  // MARK: settings

  private func submitSettings() {
    var entries = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(limits.streamWindowBytes)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: UInt32(limits.headerListBytes)),
    ]
    switch role {
    case .server:
      entries.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: limits.concurrentStreams))
    case .client:
      entries.append(nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    nghttp2_session_set_local_window_size(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, limits.connectionWindowBytes)
  }

  // MARK: what nghttp2 tells

  /// Headers or data have gone out. After the last frame of our side a server needs no more of a request that it has
  /// answered, and a client that went on would hold the stream for ever (RFC 9113, 8.1).
  func sentPayload(_ id: Int32, isEnd: Bool) {
    hasSentPayload = true
    earn(2)
    guard isEnd, role == .server, nghttp2_session_get_stream_remote_close(session, id) == 0 else { return }
    if let stream = stream(id) {
      guard !stream.isReset else { return }
      stream.isReset = true
    }
    nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_NO_ERROR.rawValue)
  }

  /// nghttp2 takes headers up to 64 KiB. It closes the stream itself if they were a request's.
  func couldNotSendHeaders(_ id: Int32) {
    guard role == .server else {
      streams[id]?.wasNotSent = true
      return
    }
    nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_INTERNAL_ERROR.rawValue)
  }

  func began(_ id: Int32) -> Int32 {
    incoming.removeAll()
    hasTooLargeHeaders = false
    headerBlocks &+= 1
    openHeaderBlock = headerBlocks
    guard role == .server, streams[id] == nil else { return 0 }
    lastStream = max(lastStream, id)
    let stream = HTTP2Stream(id: id, connection: self)
    streams[id] = stream
    statistics.streamsStarted += 1
    nghttp2_session_set_stream_user_data(session, id, Unmanaged.passUnretained(stream).toOpaque())
    return 0
  }

  func stream(_ id: Int32) -> HTTP2Stream? {
    guard let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
    return Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
  }

  func receivedField(
    _ id: Int32, name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, flags: UInt8
  ) -> Int32 {
    guard !hasTooLargeHeaders else { return 0 }
    incoming.append(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer(value), flags: flags)
    if incoming.listSize > limits.headerListBytes {
      // gRPC takes this code for RESOURCE_EXHAUSTED.
      hasTooLargeHeaders = true
      receivedLargeHeaders()
      if let stream = stream(id) { submitReset(stream, NGHTTP2_ENHANCE_YOUR_CALM.rawValue) }
    }
    return 0
  }

  func receivedHeaders(_ id: Int32, endStream: Bool) {
    openHeaderBlock = nil
    guard !hasTooLargeHeaders, let stream = stream(id) else { return }
    let headers = incoming
    if stream.hasReceivedHeaders {
      stream.handler?.receivedEnd(trailers: headers)
      return
    }
    // An interim response (1xx) announces nothing.
    if role == .client, headers.first(":status")?.hasPrefix("1") == true { return }
    stream.hasReceivedHeaders = true
    if role == .server {
      stream.handler = isClosing || isOverfull ? nil : delegate?.connectionOpened(stream)
      guard stream.handler != nil else { return submitReset(stream, NGHTTP2_REFUSED_STREAM.rawValue) }
    }
    stream.handler?.received(headers: headers, endStream: endStream)
    if endStream { stream.handler?.receivedEnd(trailers: nil) }
  }

  func receivedData(_ id: Int32, _ data: UnsafeRawBufferPointer) {
    nghttp2_session_consume_connection(session, data.count)
    stream(id)?.receive(data)
  }

  func receivedEnd(_ id: Int32) {
    stream(id)?.handler?.receivedEnd(trailers: nil)
  }

  func receivedGoAway(_ errorCode: UInt32, _ reason: UnsafeRawBufferPointer) {
    isClosing = true
    if isComplaintAboutPings(errorCode, reason) { hasPingedTooOften = true }
    delegate?.connectionReceivedGoAway()
  }

  func closed(_ id: Int32, _ errorCode: UInt32) {
    guard let stream = streams.removeValue(forKey: id) else { return }
    if errorCode == 0 { statistics.streamsSucceeded += 1 } else { statistics.streamsFailed += 1 }
    close(stream, errorCode)
    delegate?.connectionClosedStream()
  }

  private func close(_ stream: HTTP2Stream, _ errorCode: UInt32) {
    let handler = stream.handler
    stream.handler = nil
    hold(-(stream.queuedBytes + stream.keptBytes))
    stream.connection = nil
    settleDebts()
    handler?.closed(errorCode: errorCode)
  }
}

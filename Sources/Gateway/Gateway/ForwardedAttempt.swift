import Core
import RPCCore
import RPCTransport

/// One attempt at a forwarded call: a stream to one replica. What comes of it when the call has gone on without it is not heard.
final class ForwardedAttempt: HTTP2StreamHandler {
  /// The stream; nil before it stands and after it has ended.
  private(set) var stream: HTTP2Stream?
  private var call: ForwardedCall?
  private let figures: CallMetrics
  private let method: MethodDescriptor
  private let began: UInt64
  private var isCounted = true
  private var replica: Replica?

  init(_ call: ForwardedCall, _ method: MethodDescriptor, figures: CallMetrics, began: UInt64) {
    self.call = call
    self.method = method
    self.figures = figures
    self.began = began
  }

  /// Opens its stream; false if the connection takes no more.
  func open(_ headers: HeaderBlock, on connection: HTTP2Connection) -> Bool {
    guard let stream = connection.open(headers, handler: self) else { return false }
    self.stream = stream
    replica = connection.replica
    figures.began(method)
    isCounted = false
    return true
  }

  /// Its outcome, for the figures; only the first counts. What a replica has not begun says nothing of it.
  func ended(_ code: StatusCode, at now: UInt64, sentBytes: Int, receivedBytes: Int, isUnbegun: Bool = false) {
    guard !isCounted else { return }
    isCounted = true
    if !isUnbegun { replica?.ended(code) }
    figures.ended(
      method, code, nanoseconds: now &- began, sentBytes: sentBytes, receivedBytes: receivedBytes)
  }

  /// The call needs nothing more of it.
  func letGo() {
    call = nil
    let stream = stream
    self.stream = nil
    stream?.reset(HTTP2ErrorCode.cancel)
  }

  func received(headers: HeaderBlock, endStream: Bool) {
    call?.serverSent(headers: headers, endStream: endStream, from: self)
  }

  func received(data: UnsafeRawBufferPointer) {
    if let call { call.serverSent(data: data) } else { stream?.consume(data.count) }
  }

  func receivedEnd(trailers: HeaderBlock?) { call?.serverEnded(trailers: trailers) }
  func becameWritable() { call?.serverBecameWritable() }

  func closed(errorCode: UInt32) {
    let (call, stream) = (call, stream)
    self.call = nil
    self.stream = nil
    if let call, let stream { call.serverClosed(stream, errorCode: errorCode, from: self) }
  }
}

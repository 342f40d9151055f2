import RPCCore
import RPCTransport

/// Room for one call at a time on one connection, used again and again: no object, task or timer is made for a call. Confined
/// to its lane's loop.
final class LoadSlot: HTTP2StreamHandler {
  /// Received bytes that the server gets no credit for until there are more.
  private static let heldCredit = 65_536

  let link: LoadLink
  private unowned let lane: LoadLane
  private var stream: HTTP2Stream?
  private(set) var dueNanoseconds: UInt64 = 0
  private(set) var beganNanoseconds: UInt64 = 0
  /// Whether a call has begun whose outcome is not yet known.
  private(set) var isWaiting = false
  private(set) var replyBytes = 0
  private var unconsumed = 0
  private var status: Int?
  /// Text of a status that is not OK.
  private(set) var message = ""

  init(link: LoadLink, lane: LoadLane) {
    self.link = link
    self.lane = lane
  }

  /// Begins a call; false if the connection takes none.
  func begin(_ headers: HeaderBlock, _ frame: [UInt8], due: UInt64, now: UInt64) -> Bool {
    guard let connection = link.connection, let stream = connection.open(headers, handler: self) else {
      return false
    }
    self.stream = stream
    (dueNanoseconds, beganNanoseconds) = (due, now)
    (replyBytes, unconsumed, status) = (0, 0, nil)
    isWaiting = true
    stream.write(frame)
    stream.finish()
    return true
  }

  /// No answer in time.
  func expire() {
    isWaiting = false
    message = "no answer within the deadline"
    lane.settled(self, .deadlineExceeded)
    stream?.reset(HTTP2ErrorCode.cancel)
  }

  func received(headers: HeaderBlock, endStream: Bool) {
    readStatus(headers)
    guard status == nil, headers.first(":status") != "200" else { return }
    status = StatusCode.unknown.rawValue
    message = "the server answered HTTP \(headers.first(":status") ?? "without a status")"
  }

  func received(data: UnsafeRawBufferPointer) {
    replyBytes += data.count
    unconsumed += data.count
    guard unconsumed >= LoadSlot.heldCredit else { return }
    stream?.consume(unconsumed)
    unconsumed = 0
  }

  func receivedEnd(trailers: HeaderBlock?) {
    if let trailers { readStatus(trailers) }
  }

  func becameWritable() {}

  func closed(errorCode: UInt32) {
    let reason = stream?.abortReason
    stream = nil
    if isWaiting {
      isWaiting = false
      lane.settled(self, outcome(errorCode, reason))
    }
    lane.freed(self)
  }

  private func readStatus(_ headers: HeaderBlock) {
    guard let text = headers.first("grpc-status") else { return }
    status = Int(text) ?? StatusCode.unknown.rawValue
    if status != 0 { message = headers.first("grpc-message") ?? "" }
  }

  private func outcome(_ errorCode: UInt32, _ reason: String?) -> StatusCode {
    if let status { return StatusCode(rawValue: status) ?? .unknown }
    if let reason {
      message = reason
      return .unavailable
    }
    message = "the stream ended with HTTP/2 error \(errorCode) and no status"
    return errorCode == HTTP2ErrorCode.cancel ? .cancelled : .internal
  }
}

/// One connection, made again when it breaks, and its slots that wait for that. Confined to its lane's loop.
///
/// Unchecked Sendable: the task that connects runs on that loop.
final class LoadLink: @unchecked Sendable {
  private let pool: ConnectionPool
  private var current: HTTP2Connection?
  var isConnecting = false
  var parked: [LoadSlot] = []

  init(_ pool: ConnectionPool) { self.pool = pool }

  /// The connection if it takes calls.
  var connection: HTTP2Connection? { current?.isClosing == false ? current : nil }

  /// Makes the connection; waits until it stands, or else throws when it cannot be made.
  func connect(waitForReady: Bool) async throws {
    current = try await pool.connect(waitForReady: waitForReady)
  }

  /// Closes it when its calls have ended.
  func close() { pool.close() }
}

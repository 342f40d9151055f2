import CNghttp2
import Glibc

/// What happens on a stream. Called on the connection's loop, inside nghttp2: handlers may submit, write and reset, and
/// nothing of this waits.
public protocol HTTP2StreamHandler: AnyObject {
  /// The first headers have come.
  func received(headers: HeaderBlock, endStream: Bool)
  /// Data have come; they count against the windows until `HTTP2Stream.consume`.
  func received(data: UnsafeRawBufferPointer)
  /// The peer has sent its last; with trailers, or without.
  func receivedEnd(trailers: HeaderBlock?)
  /// Less is queued than `HTTP2Stream.lowWaterBytes` again, after `isCongested` was true.
  func becameWritable()
  /// The stream is gone; 0 is a regular end. Always the last call.
  func closed(errorCode: UInt32)
}

/// One stream of a connection. Confined to the connection's loop.
public final class HTTP2Stream {
  /// More queued bytes than this are congestion.
  public static let highWaterBytes = 65_536
  /// Congestion ends below this.
  public static let lowWaterBytes = 16_384

  private enum Ending {
    case open
    case data
    case trailers(HeaderBlock)
  }

  /// Its number on the connection; -1 until nghttp2 has given one.
  public internal(set) var id: Int32
  /// Who is told what happens.
  public var handler: (any HTTP2StreamHandler)?
  /// The connection; nil when the stream has ended, which breaks the cycle with the connection's table.
  public internal(set) var connection: HTTP2Connection?
  /// Why the connection broke, if that is how the stream ended.
  public internal(set) var abortReason: String?
  /// Whether a client's stream ended before its headers went out.
  public internal(set) var wasNotSent = false
  /// Whether the headers, data and trailers of the reply are all queued.
  public private(set) var isFinished = false
  /// Bytes queued and not yet handed to the connection.
  public private(set) var queuedBytes = 0
  /// Received bytes that no credit was given for yet.
  private(set) var unconsumedBytes = 0
  /// Bytes that the handler keeps: a message that is not complete, and those that nobody has read.
  private(set) var keptBytes = 0
  /// Credit that waits until the connection holds less.
  var owedBytes = 0
  var hasReceivedHeaders = false
  /// Whether a reset was submitted.
  var isReset = false
  /// Whether the peer has begun a message and not ended it; told by whoever knows messages.
  public var awaitsRest = false
  /// The looks (`HTTP2Connection.looks`) at which the peer last took and last sent data, or could begin to.
  private var lastTaken: UInt32
  private var lastReceived: UInt32
  /// The chunk that is being sent, from `offset` on, and those behind it, from `nextLater` on.
  private var current: [UInt8] = []
  private var offset = 0
  private var later: [[UInt8]] = []
  private var nextLater = 0
  private var ending = Ending.open
  private var isDeferred = false
  private var wasCongested = false

  init(id: Int32, connection: HTTP2Connection) {
    self.id = id
    self.connection = connection
    lastTaken = connection.looks
    lastReceived = connection.looks
  }

  /// Whether more is queued than the peer takes.
  public var isCongested: Bool {
    if queuedBytes > HTTP2Stream.highWaterBytes { wasCongested = true }
    return wasCongested
  }

  /// Queues data. Empty data and data after the end are ignored.
  public func write(_ bytes: consuming [UInt8]) {
    guard !bytes.isEmpty, !isFinished, let connection else { return }
    if queuedBytes == 0 { lastTaken = connection.looks }
    queuedBytes += bytes.count
    connection.hold(bytes.count)
    // Most streams never have more than one chunk at a time, which needs no list.
    if current.isEmpty { current = bytes } else { later.append(bytes) }
    resume()
  }

  /// Ends the stream behind the data that are queued, with trailers or without.
  public func finish(trailers: HeaderBlock? = nil) {
    guard !isFinished else { return }
    isFinished = true
    ending = trailers.map { .trailers($0) } ?? .data
    resume()
  }

  /// Sends a server's headers; data and the end follow by `write` and `finish`, unless this is all.
  public func respond(_ headers: HeaderBlock, endStream: Bool = false) {
    if endStream { isFinished = true }
    connection?.submitResponse(self, headers, endStream: endStream)
  }

  /// Ends the stream at once in both directions with an HTTP/2 error code.
  public func reset(_ errorCode: UInt32) {
    isFinished = true
    connection?.submitReset(self, errorCode)
  }

  /// Gives the peer credit for so many bytes that have been dealt with; what is left when the stream ends is given then.
  public func consume(_ count: Int) {
    let count = min(count, unconsumedBytes)
    guard count > 0 else { return }
    unconsumedBytes -= count
    connection?.giveCredit(self, count)
  }

  /// Whether so many bytes more may be queued: not when the connection or the process holds too many already.
  public func mayQueue(_ count: Int) -> Bool { connection?.mayHold(count) ?? true }

  /// Says how many bytes the handler keeps now. False when that is more than the connection or the process can bear: then the
  /// stream must be ended.
  public func keep(_ count: Int) -> Bool {
    let more = count - keptBytes
    guard more != 0, let connection else { return true }
    let isBearable = more < 0 || connection.mayHold(more)
    keptBytes = count
    connection.hold(more)
    if more < 0 { connection.settleDebts() }
    return isBearable
  }

  func receive(_ data: UnsafeRawBufferPointer) {
    unconsumedBytes += data.count
    if let connection { lastReceived = connection.looks }
    if let handler { handler.received(data: data) } else { consume(data.count) }
  }

  /// Whether the peer has made us wait for so many looks. Who has no credit left waits for us.
  func hasStalled(at look: UInt32, patience: UInt32) -> Bool {
    if queuedBytes > 0, look &- lastTaken > patience { return true }
    return awaitsRest && unconsumedBytes == 0 && owedBytes == 0 && look &- lastReceived > patience
  }

  private func resume() {
    guard isDeferred else { return }
    isDeferred = false
    connection?.resume(self)
  }

  private func takeNextChunk() {
    offset = 0
    guard nextLater < later.count else {
      current = []
      return
    }
    current = later[nextLater]
    later[nextLater] = []
    nextLater += 1
    if nextLater == later.count {
      later.removeAll(keepingCapacity: true)
      nextLater = 0
    }
  }

  /// nghttp2 wants the next bytes of the body.
  func fill(_ buffer: UnsafeMutablePointer<UInt8>, _ capacity: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
    var filled = 0
    while filled < capacity, !current.isEmpty {
      let count = min(capacity - filled, current.count - offset)
      current.withUnsafeBufferPointer { chunk in
        if let base = chunk.baseAddress { _ = memcpy(buffer + filled, base + offset, count) }
      }
      filled += count
      offset += count
      if offset == current.count { takeNextChunk() }
    }
    queuedBytes -= filled
    if filled > 0, let connection {
      lastTaken = connection.looks
      connection.hold(-filled)
    }
    if wasCongested, queuedBytes < HTTP2Stream.lowWaterBytes {
      wasCongested = false
      handler?.becameWritable()
    }
    guard queuedBytes == 0 else { return filled }
    switch ending {
    case .open:
      if filled == 0 {
        isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
    case .data:
      flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
    case .trailers(let trailers):
      flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
      connection?.submitTrailers(self, trailers)
    }
    return filled
  }
}

import CNghttp2
import RPCCore

/// Asks a server on one connection whether it serves (grpc.health.v1): by Watch; by Check again and again if it has no Watch; and takes it
/// for serving if it has neither. Confined to its loop, and over when its connection is.
final class HealthWatch {
  /// How long an answer to Check, or the first to Watch, may take.
  static let patience: Duration = .seconds(5)
  /// Time between two Checks.
  static let checkInterval: Duration = .seconds(5)

  private enum Way: String {
    case watch = "/grpc.health.v1.Health/Watch"
    case check = "/grpc.health.v1.Health/Check"
  }

  private let service: String
  private let authority: String
  private let loop: EventLoop
  /// Told each answer.
  private let told: (Bool) -> Void
  private weak var connection: HTTP2Connection?
  private var way = Way.watch
  private var question: HealthQuestion?
  private var backoff = Backoff()
  /// The end of an answer's time, or of the time before the next question.
  private var timer: LoopTimer?
  private var isOver = false
  /// Whether the question that is open was answered.
  private var isAnswered = false

  /// Asks at once. `service` is the name that is asked for; "" is the whole server.
  init(
    _ service: String, on connection: HTTP2Connection, authority: String, loop: EventLoop,
    told: @escaping (Bool) -> Void
  ) {
    (self.service, self.connection, self.authority, self.loop, self.told) = (service, connection, authority, loop, told)
  }

  /// Asks nothing any more.
  func stop() {
    isOver = true
    clearTimer()
    question?.letGo()
    question = nil
  }

  func ask() {
    guard !isOver, let connection else { return }
    isAnswered = false
    let headers = GRPCHeaders.request(
      path: way.rawValue, authority: authority,
      timeoutNanoseconds: way == .check ? HealthWatch.patience.wholeNanoseconds : nil, options: CallOptions())
    let question = HealthQuestion(self)
    guard question.open(headers, HealthMessages.request(service), on: connection) else { return again(answer: nil) }
    self.question = question
    timer = loop.schedule(afterNanoseconds: HealthWatch.patience.wholeNanoseconds) { [weak self] in
      self?.question?.letGo()
      self?.again(answer: false)
    }
  }

  fileprivate func answered(_ isServing: Bool) {
    guard !isOver else { return }
    clearTimer()
    isAnswered = true
    backoff.reset()
    told(isServing)
  }

  /// The open question has ended with this status.
  fileprivate func ended(_ code: StatusCode) {
    guard !isOver else { return }
    clearTimer()
    question = nil
    switch (way, code) {
    case (.watch, .unimplemented), (.watch, .resourceExhausted):
      way = .check
      ask()
    case (.check, .unimplemented):
      // It has nothing to say of its health, on this connection.
      told(true)
      isOver = true
    case (.check, .ok) where isAnswered: later(HealthWatch.checkInterval.wholeNanoseconds)
    case (.check, _): again(answer: false)
    // Whoever has answered stays what it said until it says something else.
    case (.watch, _): again(answer: isAnswered ? nil : false)
    }
  }

  private func again(answer: Bool?) {
    question = nil
    if let answer { told(answer) }
    if !isOver { later(backoff.next(loop.random)) }
  }

  private func later(_ nanoseconds: UInt64) {
    clearTimer()
    timer = loop.schedule(afterNanoseconds: nanoseconds) { [weak self] in
      self?.timer = nil
      self?.ask()
    }
  }

  private func clearTimer() {
    if let timer { loop.cancel(timer) }
    timer = nil
  }
}

/// One call of a `HealthWatch`.
private final class HealthQuestion: HTTP2StreamHandler {
  private weak var watch: HealthWatch?
  private var stream: HTTP2Stream?
  private var deframer = MessageDeframer(maximumMessageBytes: 4_096)
  private var status: StatusCode?

  init(_ watch: HealthWatch) { self.watch = watch }

  func open(_ headers: HeaderBlock, _ request: [UInt8], on connection: HTTP2Connection) -> Bool {
    guard let stream = connection.open(headers, handler: self) else { return false }
    self.stream = stream
    stream.write(request)
    stream.finish()
    return true
  }

  /// Nothing more is heard of it.
  func letGo() {
    watch = nil
    let open = stream
    stream = nil
    open?.reset(NGHTTP2_CANCEL.rawValue)
  }

  func received(headers: HeaderBlock, endStream: Bool) {
    if GRPCHeaders.hasStatus(headers) {
      status = code(headers)
    } else if headers.first(":status") != "200" {
      status = GRPCHeaders.error(httpStatus: headers.first(":status") ?? "").code
    }
  }

  func received(data: UnsafeRawBufferPointer) {
    stream?.consume(data.count)
    let isMessage: Void? = try? deframer.receive(data) { message, isCompressed in
      guard status == nil, let isServing = HealthMessages.isServing(message), !isCompressed else { return }
      watch?.answered(isServing)
    }
    if isMessage == nil { stream?.reset(NGHTTP2_CANCEL.rawValue) }
  }

  func receivedEnd(trailers: HeaderBlock?) { status = trailers.map(code) ?? status ?? .unknown }

  func becameWritable() {}

  func closed(errorCode: UInt32) {
    let wasCut = stream?.abortReason != nil
    stream = nil
    // With its connection ends its watch too.
    if !wasCut { watch?.ended(status ?? .unavailable) }
    watch = nil
  }

  private func code(_ headers: HeaderBlock) -> StatusCode { GRPCHeaders.parseStatus(headers).error?.code ?? .ok }
}

import CNghttp2
import RPCCore

/// What is known of a server's health.
enum Health {
  case serving
  /// It says so.
  case notServing
  /// It was asked and has given no answer: it may hang, or cannot say.
  case silent
}

/// Asks a server on one connection whether it serves (grpc.health.v1): by Watch, and by Check every so often, which tells one that hangs.
/// Without Watch the answers to Check count, and one that has neither is taken for serving. Confined to its loop, and over when its
/// connection is.
final class HealthWatch {
  /// How long an answer to Check, or the first to Watch, may take.
  static let patience: Duration = .seconds(5)
  /// Time between two Checks.
  static let checkInterval: Duration = .seconds(5)

  fileprivate enum Way: String {
    case watch = "/grpc.health.v1.Health/Watch"
    case check = "/grpc.health.v1.Health/Check"
  }

  private let service: String
  private let authority: String
  private let loop: EventLoop
  /// Told what is known.
  private let told: (Health) -> Void
  /// Let go of by `stop`; a weak reference would make each use of the connection slower, for every call.
  private var connection: HTTP2Connection?
  private var way = Way.watch
  private var question: HealthQuestion?
  private var backoff = Backoff()
  /// The end of an answer's time, or of the time before the next question.
  private var timer: LoopTimer?
  private var isOver = false
  /// Whether the question that is open was answered.
  private var isAnswered = false
  /// The last answer, and whether a Check beside the Watch has none.
  private var answer = Health.silent
  private var pulse: HealthPulse?

  /// Asks at once. `service` is the name that is asked for; "" is the whole server.
  init(
    _ service: String, on connection: HTTP2Connection, authority: String, loop: EventLoop,
    told: @escaping (Health) -> Void
  ) {
    (self.service, self.connection, self.authority, self.loop, self.told) = (service, connection, authority, loop, told)
  }

  /// Asks nothing any more.
  func stop() {
    isOver = true
    connection = nil
    clearTimer()
    question?.letGo()
    question = nil
    pulse?.stop()
    pulse = nil
  }

  func ask() {
    guard !isOver, let connection else { return }
    isAnswered = false
    let question = HealthQuestion { [weak self] in
      self?.answered($0 ? .serving : .notServing)
    } ended: { [weak self] in
      self?.ended($0)
    }
    guard question.open(way, service, authority, on: connection) else { return again() }
    self.question = question
    timer = loop.schedule(afterNanoseconds: HealthWatch.patience.wholeNanoseconds) { [weak self] in
      self?.question?.letGo()
      self?.again(answer: .silent)
    }
  }

  private func answered(_ health: Health) {
    guard !isOver else { return }
    clearTimer()
    isAnswered = true
    backoff.reset()
    tell(health)
    guard way == .watch, pulse == nil, !isOver, let connection else { return }
    pulse = HealthPulse(service, authority, connection, loop) { [weak self] _ in
      guard let self else { return }
      tell(answer)
    }
  }

  private func tell(_ health: Health) {
    answer = health
    told(health == .serving && pulse?.isBeating == false ? .silent : health)
  }

  /// The open question has ended with this status.
  private func ended(_ code: StatusCode) {
    guard !isOver else { return }
    clearTimer()
    question = nil
    switch (way, code) {
    case (.watch, .unimplemented), (.watch, .resourceExhausted):
      way = .check
      ask()
    case (.check, .unimplemented):
      // It has nothing to say of its health, on this connection.
      tell(.serving)
      isOver = true
    case (.check, .ok) where isAnswered: later(HealthWatch.checkInterval.wholeNanoseconds)
    case (_, .notFound): again(answer: .notServing)
    case (.check, _): again(answer: .silent)
    // Whoever has answered stays what it said until it says something else.
    case (.watch, _): again(answer: isAnswered ? nil : .silent)
    }
  }

  private func again(answer: Health? = nil) {
    question = nil
    if let answer { tell(answer) }
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

/// Checks beside a Watch: a server that hangs leaves its Watch open and says nothing.
private final class HealthPulse {
  private(set) var isBeating = true
  private var ask: ((HealthQuestion) -> Bool)?
  private let loop: EventLoop
  private let changed: (Bool) -> Void
  private var question: HealthQuestion?
  private var timer: LoopTimer?

  init(
    _ service: String, _ authority: String, _ connection: HTTP2Connection, _ loop: EventLoop,
    changed: @escaping (Bool) -> Void
  ) {
    (self.loop, self.changed) = (loop, changed)
    ask = { $0.open(.check, service, authority, on: connection) }
    schedule(HealthWatch.checkInterval) { $0.beat() }
  }

  func stop() {
    if let timer { loop.cancel(timer) }
    timer = nil
    ask = nil
    question?.letGo()
    question = nil
  }

  private func beat() {
    // Any end is a sign of life.
    let question = HealthQuestion(answered: { _ in }) { [weak self] _ in self?.heard(true) }
    guard ask?(question) == true else { return }
    self.question = question
    schedule(HealthWatch.patience) { $0.heard(false) }
  }

  private func heard(_ isBeating: Bool) {
    question?.letGo()
    question = nil
    schedule(HealthWatch.checkInterval) { $0.beat() }
    guard self.isBeating != isBeating else { return }
    self.isBeating = isBeating
    changed(isBeating)
  }

  private func schedule(_ duration: Duration, _ action: @escaping (HealthPulse) -> Void) {
    if let timer { loop.cancel(timer) }
    timer = loop.schedule(afterNanoseconds: duration.wholeNanoseconds) { [weak self] in
      if let self { action(self) }
    }
  }
}

/// One call to the health service.
private final class HealthQuestion: HTTP2StreamHandler {
  private var answered: ((Bool) -> Void)?
  private var ended: ((StatusCode) -> Void)?
  private var stream: HTTP2Stream?
  private var deframer = MessageDeframer(maximumMessageBytes: 4_096)
  private var status: StatusCode?

  init(answered: @escaping (Bool) -> Void, ended: @escaping (StatusCode) -> Void) {
    (self.answered, self.ended) = (answered, ended)
  }

  func open(_ way: HealthWatch.Way, _ service: String, _ authority: String, on connection: HTTP2Connection) -> Bool {
    let headers = GRPCHeaders.request(
      path: way.rawValue, authority: authority,
      timeoutNanoseconds: way == .check ? HealthWatch.patience.wholeNanoseconds : nil, options: CallOptions())
    guard let stream = connection.open(headers, handler: self) else { return false }
    self.stream = stream
    stream.write(HealthMessages.request(service))
    stream.finish()
    return true
  }

  /// Nothing more is heard of it.
  func letGo() {
    (answered, ended) = (nil, nil)
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
      answered?(isServing)
    }
    if isMessage == nil { stream?.reset(NGHTTP2_CANCEL.rawValue) }
  }

  func receivedEnd(trailers: HeaderBlock?) { status = trailers.map(code) ?? status ?? .unknown }

  func becameWritable() {}

  func closed(errorCode: UInt32) {
    let wasCut = stream?.abortReason != nil
    stream = nil
    // With its connection ends its watch too.
    let ended = ended
    (answered, self.ended) = (nil, nil)
    if !wasCut { ended?(status ?? .unavailable) }
  }

  private func code(_ headers: HeaderBlock) -> StatusCode { GRPCHeaders.parseStatus(headers).error?.code ?? .ok }
}

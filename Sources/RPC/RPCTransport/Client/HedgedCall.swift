import RPCCore

/// A unary read that goes to a further replica each time no answer has come within a while (gRFC A6, hedging). The first answer is the
/// call's, and the other attempts are cancelled. Confined to its channel's loop.
///
/// Unchecked Sendable: only `cancel` may be called from elsewhere, and it hops to the loop.
final class HedgedCall: ClientCallTransport, @unchecked Sendable {
  private let channel: ClientChannel
  private let method: MethodDescriptor
  private let options: CallOptions
  private let loop: EventLoop
  private let budget: RetryBudget
  private let policy: HedgingPolicy
  /// Weak: a caller that drops its call cancels it.
  private weak var call: ClientCall?
  private var request: (frame: [UInt8], isCompressed: Bool)?
  /// Those that run.
  private var attempts: [ClientCall] = []
  private var begun = 1
  /// Attempts that are about to begin.
  private var beginning = 0
  private var timer: LoopTimer?
  private var mayBeginMore = true
  private var isOver = false

  /// A call whose first attempt has begun.
  static func call(
    _ first: ClientCall, _ options: CallOptions, channel: ClientChannel, loop: EventLoop, budget: RetryBudget,
    policy: HedgingPolicy
  ) -> ClientCall {
    let hedged = HedgedCall(first.method, options, channel: channel, loop: loop, budget: budget, policy: policy)
    let call = ClientCall(method: first.method, transport: hedged)
    hedged.call = call
    hedged.attempts = [first]
    return call
  }

  private init(
    _ method: MethodDescriptor, _ options: CallOptions, channel: ClientChannel, loop: EventLoop, budget: RetryBudget,
    policy: HedgingPolicy
  ) {
    (self.method, self.options, self.channel, self.loop) = (method, options, channel, loop)
    (self.budget, self.policy) = (budget, policy)
  }

  // MARK: attempts

  private func watch(_ attempt: ClientCall) {
    let bound = LoopBound((hedged: self, attempt: attempt), on: loop)
    loop.spawn {
      let (hedged, attempt) = bound.value
      do throws(RPCError) {
        guard let message = try await attempt.receive() else {
          throw RPCError(.internal, "the server answered OK without a message")
        }
        guard try await attempt.receive() == nil else {
          throw RPCError(.internal, "the server sent two messages where one is due")
        }
        hedged.succeeded(attempt, message)
      } catch {
        hedged.failed(attempt, error)
      }
    }
  }

  private func scheduleNext(afterNanoseconds delay: UInt64) {
    clearTimer()
    guard !isOver, mayBeginMore, begun < policy.maximumAttempts else { return }
    timer = loop.schedule(afterNanoseconds: delay) { [weak self] in
      guard let self else { return }
      timer = nil
      beginNext()
    }
  }

  private func beginNext() {
    guard !isOver, let request, begun < policy.maximumAttempts, budget.takeHedge() else { return }
    let before = begun
    begun += 1
    beginning += 1
    let bound = LoopBound(self, on: loop)
    loop.spawn {
      let hedged = bound.value
      var begun: ClientCall?
      var failure: RPCError?
      do throws(RPCError) {
        begun = try await hedged.channel.open(hedged.method, hedged.options, after: before)
        try await begun?.send(framed: request.frame, compressed: request.isCompressed)
        begun?.finishSending()
      } catch { failure = error }
      hedged.began(begun, failure)
    }
    scheduleNext(afterNanoseconds: policy.delay.wholeNanoseconds)
  }

  private func began(_ attempt: ClientCall?, _ failure: RPCError?) {
    beginning -= 1
    guard !isOver else {
      attempt?.cancel()
      return
    }
    if let attempt, failure == nil {
      attempts.append(attempt)
      watch(attempt)
    } else if attempts.isEmpty, beginning == 0 {
      end(failure ?? RPCError(.unavailable, "no attempt could be made"), Metadata())
    }
  }

  private func succeeded(_ attempt: ClientCall, _ message: [UInt8]) {
    guard !isOver else { return }
    budget.succeeded()
    call?.deliver(initialMetadata: attempt.initialMetadata)
    call?.deliver(message)
    end(nil, attempt.trailingMetadata, keeping: attempt)
  }

  private func failed(_ attempt: ClientCall, _ error: RPCError) {
    guard !isOver else { return }
    attempts.removeAll { $0 === attempt }
    guard policy.nonFatalCodes.contains(error.code) else { return end(error, attempt.trailingMetadata) }
    budget.hedgeFailed()
    let pushback = attempt.trailingMetadata.first("grpc-retry-pushback-ms")
    if let pushback, UInt32(pushback) == nil { mayBeginMore = false }
    // The next one need not wait for a failed one, unless the server asks for it.
    let delay = pushback.flatMap { UInt32($0) }.map { UInt64($0) * 1_000_000 } ?? 0
    if mayBeginMore, begun < policy.maximumAttempts, budget.allowsHedge {
      scheduleNext(afterNanoseconds: delay)
    } else if attempts.isEmpty, beginning == 0 {
      end(error, attempt.trailingMetadata)
    }
  }

  private func end(_ error: RPCError?, _ metadata: Metadata, keeping winner: ClientCall? = nil) {
    guard !isOver else { return }
    isOver = true
    clearTimer()
    for attempt in attempts where attempt !== winner { attempt.cancel() }
    attempts = []
    call?.end(error, trailingMetadata: metadata)
    call = nil
  }

  private func clearTimer() {
    if let timer { loop.cancel(timer) }
    timer = nil
  }

  // MARK: for the call

  func send(framed: consuming [UInt8], compressed: Bool) {
    let frame = framed
    request = (frame, compressed)
    guard let first = attempts.first else { return }
    let bound = LoopBound(first, on: loop)
    loop.spawn {
      try? await bound.value.send(framed: frame, compressed: compressed)
      bound.value.finishSending()
    }
    watch(first)
    scheduleNext(afterNanoseconds: policy.delay.wholeNanoseconds)
  }

  /// A unary request is whole when it is sent.
  func finishSending() {}
  var isCongested: Bool { false }
  func compressesInPieces(_ count: Int) -> Bool { false }
  func sendInPieces(framed: consuming [UInt8]) async { send(framed: framed, compressed: true) }
  func decompress(_ message: [UInt8]) async throws(RPCError) -> [UInt8] { message }
  func messagesConsumed() {}

  func cancel() {
    loop.execute { self.end(RPCError(.cancelled, "the call was cancelled"), Metadata()) }
  }
}

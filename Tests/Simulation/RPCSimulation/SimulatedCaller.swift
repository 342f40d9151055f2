import RPCCore
import RPCTransport

/// Makes the calls of a scenario and judges how they end. Confined to the loop.
///
/// Unchecked Sendable: its tasks run on that loop only.
final class SimulatedCaller: @unchecked Sendable {
  /// Bytes of a streamed request that a client must hold to make a refused call again.
  private static let heldRequestBytes = 60_000

  private let channel: ClientChannel
  private let loop: EventLoop
  private let scenario: Scenario
  private let service: SimulatedService
  private let network: SimulatedNetwork
  /// Calls that have not ended, by their numbers.
  private(set) var open: Set<Int> = []
  private(set) var faults: [String] = []
  private var cancelTimers: [Int: CallTimer] = [:]
  /// How the calls ended.
  private(set) var outcomes: [StatusCode: Int] = [:]

  init(_ scenario: Scenario, _ network: SimulatedNetwork, loop: EventLoop, service: SimulatedService) {
    self.scenario = scenario
    self.network = network
    channel = ClientChannel(network, loop: loop)
    self.loop = loop
    self.service = service
  }

  /// Lets a call begin when it is due.
  func begin(_ plan: CallPlan) {
    open.insert(plan.id)
    let task = loop.spawn { [self] in await run(plan) }
    guard let cancel = plan.cancelNanoseconds else { return }
    cancelTimers[plan.id] = CallTimer(loop, afterNanoseconds: plan.startNanoseconds + cancel) { task.cancel() }
  }

  private func run(_ plan: CallPlan) async {
    defer {
      cancelTimers.removeValue(forKey: plan.id)?.cancel()
      open.remove(plan.id)
    }
    do { try await loop.sleep(for: .nanoseconds(Int64(plan.startNanoseconds))) } catch { return }
    let begin = loop.clock.monotonicNanoseconds()
    let deadline = plan.deadlineNanoseconds.map { Deadline(monotonicNanoseconds: begin + $0) }
    var code = StatusCode.ok
    var message = ""
    do {
      try await call(plan, deadline)
    } catch {
      let status = RPCError(converting: error)
      (code, message) = (status.code, status.message)
    }
    outcomes[code, default: 0] += 1
    judge(plan, code, message, deadline)
  }

  private func call(_ plan: CallPlan, _ deadline: Deadline?) async throws {
    guard let method = SimulatedService.methods[plan.kind] else { return }
    var options = CallOptions(deadline: deadline)
    options.metadata.add("x-call", "\(plan.id)")
    let call = try await channel.open(method, options)
    var replies = 0
    for sequence in 0..<plan.requests {
      try await call.send(framed: SimulatedMessage.framed(plan.id, sequence, filling: plan.requestBytes))
      // A server that answers each request stops reading while nobody reads its answers.
      guard plan.kind == .bidirectional else { continue }
      guard try await isReply(call, plan, replies) else { break }
      replies += 1
      if plan.dropsCall { return }
    }
    call.finishSending()
    while try await isReply(call, plan, replies) {
      replies += 1
      if plan.dropsCall { return }
    }
    if replies != plan.replies { faults.append("call \(plan.id): \(replies) replies instead of \(plan.replies)") }
  }

  /// Takes the next reply; false after the last.
  private func isReply(_ call: ClientCall, _ plan: CallPlan, _ sequence: Int) async throws -> Bool {
    guard let reply = try await call.receive() else { return false }
    if let fault = SimulatedMessage.fault(reply, plan.id, sequence, filling: plan.replyBytes) {
      faults.append("call \(plan.id), reply \(sequence): \(fault)")
    }
    if plan.readPauseNanoseconds > 0 { try await loop.sleep(for: .nanoseconds(Int64(plan.readPauseNanoseconds))) }
    return true
  }

  /// A call ends as planned unless somebody gave it up or the network lost it.
  private func judge(_ plan: CallPlan, _ code: StatusCode, _ message: String, _ deadline: Deadline?) {
    let now = loop.clock.monotonicNanoseconds()
    // Replies that have come are read to the end, in the caller's own time.
    let readingPause = plan.readPauseNanoseconds * UInt64(plan.replies)
    if let deadline, now > deadline.monotonicNanoseconds + readingPause + millisecond {
      faults.append("call \(plan.id) ended \(now - deadline.monotonicNanoseconds) ns after its deadline")
    }
    var expected: Set<StatusCode> = [.ok]
    switch plan.answer {
    case .fail: expected = [SimulatedService.failure]
    case .hang: expected = []
    case .breakOff where plan.isBrokenOff: expected = [SimulatedService.failure]
    case .reply, .late, .breakOff: break
    }
    if plan.dropsCall { expected.insert(.ok) }
    if plan.deadlineNanoseconds != nil { expected.formUnion([.deadlineExceeded, .cancelled]) }
    if plan.cancelNanoseconds != nil { expected.insert(.cancelled) }
    if !scenario.isLossless { expected.insert(.unavailable) }
    if mayStayRefused(plan) { expected.insert(.unavailable) }
    if !expected.contains(code) { faults.append("call \(plan.id) (\(plan.kind)) ended with \(code): \(message)") }
  }
  /// What a server refuses unseen is made again once, if it is held still: not a second time, and not a long streamed request.
  private func mayStayRefused(_ plan: CallPlan) -> Bool {
    guard service.begun[plan.id] == 0, network.refusals > 0 else { return false }
    let isLong = plan.kind.clientStreams && plan.requests * plan.requestBytes > SimulatedCaller.heldRequestBytes
    return network.refusals > 1 || isLong
  }
}

import Core
import RPCCore
import RPCTransport

/// The part of a run that one event loop carries: begins calls when they are due and counts how they end. Confined to its loop.
///
/// Unchecked Sendable: it is handed to the loop's tasks, and touched by nothing else.
final class LoadLane: @unchecked Sendable {
  /// Before a call is due the lane looks at the clock in every turn instead of sleeping: epoll sleeps whole milliseconds.
  private static let spinNanoseconds: UInt64 = 1_200_000
  /// Looks for calls without an answer this often within a deadline.
  private static let sweepsPerDeadline: UInt64 = 20

  let loop: EventLoop
  private let plan: LoadPlan
  private let share: LaneShare
  private let schedule: Schedule
  private let choice: WeightedChoice
  private let calls: [PreparedCall]
  private var random: SeededGenerator
  private let links: [LoadLink]
  private var slots: [LoadSlot] = []
  private var free = SlotRing()
  private var startNanoseconds: UInt64 = 0
  /// No call is due from here on.
  private var endNanoseconds = UInt64.max
  private var begun = 0
  private var measuredBegun = 0
  private var paceTimer: CallTimer?
  private var sweepTimer: CallTimer?
  private var isOver = false
  private var cpuAtStart: UInt64?
  private var waiter: UnsafeContinuation<Void, Never>?
  private(set) var figures = LaneFigures()
  /// Whether the run was ended before its time.
  private(set) var wasStopped = false

  init(loop: EventLoop, plan: LoadPlan, share: LaneShare, calls: [PreparedCall], pool: () -> ConnectionPool) {
    self.loop = loop
    self.plan = plan
    self.share = share
    self.calls = calls
    schedule = Schedule(plan)
    choice = WeightedChoice(calls.map(\.weight))
    random = SeededGenerator(seed: plan.seed &+ UInt64(share.index))
    links = (0..<share.connections).map { _ in LoadLink(pool()) }
    // Slots of different connections follow each other, so that few calls at once are spread over all.
    for _ in 0..<plan.streams { slots += links.map { LoadSlot(link: $0, lane: self) } }
    free = SlotRing(slots)
  }

  /// Makes the connections; throws if one cannot be made.
  func connect() async throws {
    for link in links { try await link.connect(waitForReady: false) }
  }

  /// Runs from this moment of the loop's clock on, until all calls have ended.
  func run(from start: UInt64) async {
    startNanoseconds = start
    if case .nanoseconds(let length) = plan.extent { endNanoseconds = start + plan.leadNanoseconds + length }
    sweep()
    pace(loop.clock.monotonicNanoseconds())
    await withUnsafeContinuation { if isOver { $0.resume() } else { waiter = $0 } }
  }

  /// Begins no more calls: somebody ends the run before its time.
  func stop() {
    wasStopped = !isOver
    let now = loop.clock.monotonicNanoseconds()
    endNanoseconds = min(endNanoseconds, now)
    pace(now)
  }

  // MARK: beginning calls

  /// Begins what is due as long as there is room, and sees to it that it is called again.
  private func pace(_ now: UInt64) {
    while !isOver {
      guard let due = nextDue(now) else { return finishWhenSettled() }
      guard due <= now else { return wake(at: due, now) }
      guard let slot = takeFree() else { return now < endNanoseconds ? () : giveUpBacklog(now) }
      begin(slot, due: due, now)
    }
  }

  /// When the next call is due; nil after the last one.
  private func nextDue(_ now: UInt64) -> UInt64? {
    guard measuredBegun < share.measuredCalls else { return nil }
    let due = schedule.due(begun * share.count + share.index).map { startNanoseconds + $0 } ?? now
    return due < endNanoseconds ? due : nil
  }

  private func begin(_ slot: LoadSlot, due: UInt64, _ now: UInt64) {
    let call = calls[choice.pick(&random)]
    let number = begun * share.count + share.index
    guard let frame = call.frame(counter: number, random: &random) else {
      count(due: due, now, LaneFigures.unsent, "a filled request is no message of its type")
      endNanoseconds = 0
      return
    }
    guard slot.begin(call.headers, frame, due: due, now: now) else { return park(slot) }
    begun += 1
    if isMeasured(due) {
      measuredBegun += 1
      if cpuAtStart == nil { cpuAtStart = threadCPUNanoseconds() }
    }
    figures.callsUnderWay += 1
  }

  private func isMeasured(_ due: UInt64) -> Bool { due >= startNanoseconds + plan.leadNanoseconds }

  private func takeFree() -> LoadSlot? {
    while let slot = free.take() {
      if slot.link.connection != nil { return slot }
      park(slot)
    }
    return nil
  }

  /// A slot whose connection is gone waits for the next one.
  private func park(_ slot: LoadSlot) {
    let link = slot.link
    link.parked.append(slot)
    guard !link.isConnecting, !isOver else { return }
    link.isConnecting = true
    loop.spawn { [self] in
      try? await link.connect(waitForReady: true)
      link.isConnecting = false
      let waiting = link.parked
      link.parked = []
      for slot in waiting { free.add(slot) }
      pace(loop.clock.monotonicNanoseconds())
    }
  }

  private func wake(at due: UInt64, _ now: UInt64) {
    guard paceTimer == nil else { return }
    var delay = due - now
    if !plan.sleepsBetweenCalls { delay = delay > LoadLane.spinNanoseconds ? delay - 1_000_000 : 0 }
    paceTimer = CallTimer(loop, afterNanoseconds: delay) { [weak self] in
      guard let self else { return }
      paceTimer = nil
      pace(loop.clock.monotonicNanoseconds())
    }
  }

  // MARK: counting

  /// A slot's call has an outcome.
  func settled(_ slot: LoadSlot, _ code: StatusCode) {
    figures.callsUnderWay -= 1
    guard isMeasured(slot.dueNanoseconds) else { return }
    let now = loop.clock.monotonicNanoseconds()
    figures.replyBytes += slot.replyBytes
    guard code == .ok else { return count(due: slot.dueNanoseconds, now, code.description, slot.message) }
    figures.succeeded += 1
    figures.answered.add(now - slot.dueNanoseconds)
    figures.lastEndNanoseconds = now
  }

  /// A slot can take the next call.
  func freed(_ slot: LoadSlot) {
    free.add(slot)
    pace(loop.clock.monotonicNanoseconds())
  }

  private func count(due: UInt64, _ now: UInt64, _ outcome: String, _ message: String) {
    figures.outcomes[outcome, default: 0] += 1
    if figures.messages[outcome] == nil { figures.messages[outcome] = message }
    figures.unanswered.add(now - due)
    figures.lastEndNanoseconds = now
  }

  // MARK: the end

  /// What was due and found no room until the end counts as failed, with the time that it has waited.
  private func giveUpBacklog(_ now: UInt64) {
    while let due = nextDue(now), due <= now {
      if isMeasured(due) {
        measuredBegun += 1
        count(due: due, now, LaneFigures.unsent, "no slot was free: give more --connections or --streams")
      }
      begun += 1
    }
    finishWhenSettled()
  }

  private func finishWhenSettled() {
    guard figures.callsUnderWay == 0, !isOver else { return }
    isOver = true
    if let cpuAtStart { figures.cpuNanoseconds = threadCPUNanoseconds() - cpuAtStart }
    paceTimer?.cancel()
    sweepTimer?.cancel()
    for link in links { link.close() }
    waiter?.resume()
    waiter = nil
  }

  /// Ends calls without an answer, and looks whether the run has reached its end.
  private func sweep() {
    let now = loop.clock.monotonicNanoseconds()
    for slot in slots where slot.isWaiting && now - slot.beganNanoseconds > plan.deadlineNanoseconds { slot.expire() }
    if now >= startNanoseconds { pace(now) }
    guard !isOver else { return }
    let pause = min(max(plan.deadlineNanoseconds / LoadLane.sweepsPerDeadline, 10_000_000), 100_000_000)
    sweepTimer = CallTimer(loop, afterNanoseconds: pause) { [weak self] in self?.sweep() }
  }
}

/// What is due on a connection, and when: sign of life, idle end, age, drain, and cuts of a peer that keeps us waiting. A pure
/// value: time and facts come in, one action at a time goes out, so that one timer serves a connection and no call has one.
struct ConnectionLife {
  /// What is to be done now.
  enum Action: Equatable {
    /// Nothing until then; nil: nothing until something happens.
    case wait(untilNanoseconds: UInt64?)
    /// Send a ping.
    case ping
    /// Begin to drain the connection.
    case drain
    /// The peer has not answered the begin of the drain: take no more streams.
    case refuseStreams
    /// Look for streams on which the peer makes us wait; call `HTTP2Connection.resetStalledStreams`.
    case lookForStalls
    /// Cut the connection.
    case close(String)
  }

  /// What the connection looks like at this moment.
  struct Facts {
    var activeStreams = 0
    /// Whether the socket holds back output.
    var isOutputBlocked = false
    /// Number of the header block that has begun and not ended; nil if there is none.
    var openHeaderBlock: Int?
  }

  private enum Drain {
    case none
    case announced(at: UInt64)
    case refused(at: UInt64)
  }

  /// Looks at the streams in one stall time: a stall is noticed at most one such part late.
  static let looksPerStall: UInt64 = 4

  /// How long an allowance of frames that do nothing (`HTTP2Limits.overheadFrames`) must last.
  private static let allowanceNanoseconds: UInt64 = 10_000_000_000

  let limits: ConnectionLimits
  private let born: UInt64
  private let ageNanoseconds: UInt64?
  /// When the last bytes came.
  var lastRead: UInt64
  /// When the socket took output last.
  var lastWrite: UInt64
  /// Since when there is no stream.
  var emptySince: UInt64
  private var pingSent: UInt64?
  private var lastPeerPing: UInt64?
  private var strikes = 0
  private var allowanceSince: UInt64
  private var drain = Drain.none
  private var hasRunOutOfAge = false
  private var nextLook: UInt64
  private var slowHeaders: (block: Int, since: UInt64)?

  /// A connection that begins now. `jitter` is a random number, for its age.
  init(_ limits: ConnectionLimits, now: UInt64, jitter: UInt64) {
    self.limits = limits
    born = now
    lastRead = now
    lastWrite = now
    emptySince = now
    nextLook = now
    allowanceSince = now
    ageNanoseconds = limits.maximumAge.map {
      let age = $0.wholeNanoseconds
      return age / 10 * 9 + (age / 5 == 0 ? 0 : jitter % (age / 5))
    }
  }

  /// The next thing to do. Call again after each action until it says `wait`.
  mutating func next(_ facts: Facts, at now: UInt64) -> Action {
    if let reason = reasonToCut(facts, at: now) { return .close(reason) }
    if let action = dueDrain(facts, at: now) ?? duePing(facts, at: now) { return action }
    if facts.activeStreams > 0, now >= nextLook {
      nextLook = now + lookNanoseconds
      return .lookForStalls
    }
    return .wait(untilNanoseconds: nextDeadline(facts, at: now))
  }

  /// Streams have come to a connection that had none: looks begin anew.
  mutating func wake(at now: UInt64) { nextLook = now + lookNanoseconds }

  /// A drain has begun.
  mutating func announced(at now: UInt64) {
    if case .none = drain { drain = .announced(at: now) }
  }

  /// No stream is taken any more.
  mutating func refused(at now: UInt64) { drain = .refused(at: now) }

  /// The peer has pinged: false if it has done so too often (gRFC A8). `hasSent`: headers or data have gone out since its last.
  mutating func receivedPing(activeStreams: Int, hasSent: Bool, at now: UInt64) -> Bool {
    if hasSent {
      lastPeerPing = nil
      strikes = 0
    }
    let least = activeStreams > 0 ? limits.minimumPingInterval : limits.minimumPingIntervalWithoutCalls
    if let lastPeerPing, now < lastPeerPing.adding(least) { strikes += 1 } else { lastPeerPing = now }
    return strikes <= limits.pingStrikes
  }

  /// The peer has used up its allowance: whether it took long enough for another one.
  mutating func mayHaveAllowance(at now: UInt64) -> Bool {
    defer { allowanceSince = now }
    return now - min(now, allowanceSince) >= ConnectionLife.allowanceNanoseconds
  }

  /// Looks without progress after which a stream has stalled.
  var stallLooks: UInt32 {
    UInt32(clamping: max(1, limits.stallTime.wholeNanoseconds / lookNanoseconds))
  }

  private var lookNanoseconds: UInt64 {
    max(1, min(limits.stallTime, limits.headerTime).wholeNanoseconds / ConnectionLife.looksPerStall)
  }

  private mutating func reasonToCut(_ facts: Facts, at now: UInt64) -> String? {
    if let pingSent {
      if lastRead > pingSent {
        self.pingSent = nil
      } else if now >= pingSent.adding(limits.keepaliveTimeout) {
        return "the peer gave no sign of life (keepalive)"
      }
    }
    if facts.isOutputBlocked, now >= lastWrite.adding(limits.stallTime) { return "the peer takes no data" }
    if case .refused(let since) = drain, hasRunOutOfAge, let grace = limits.ageGrace, now >= since.adding(grace) {
      return "the connection is too old, and its calls have not ended within the grace"
    }
    guard let block = facts.openHeaderBlock else {
      slowHeaders = nil
      return nil
    }
    if let slowHeaders, slowHeaders.block == block {
      return now >= slowHeaders.since.adding(limits.headerTime) ? "the peer does not end its headers" : nil
    }
    slowHeaders = (block, now)
    return nil
  }

  private mutating func dueDrain(_ facts: Facts, at now: UInt64) -> Action? {
    switch drain {
    case .refused: return nil
    case .announced(let since): return now >= since.adding(limits.keepaliveTimeout) ? .refuseStreams : nil
    case .none:
      if let ageNanoseconds, now >= born.addingReportingOverflow(ageNanoseconds).partialValue {
        hasRunOutOfAge = true
        return .drain
      }
      if let idle = limits.idleTime, facts.activeStreams == 0, now >= emptySince.adding(idle) {
        return .drain
      }
      return nil
    }
  }

  private mutating func duePing(_ facts: Facts, at now: UInt64) -> Action? {
    guard pingSent == nil, let time = pingTime(facts), now >= time else { return nil }
    pingSent = now
    return .ping
  }

  private func pingTime(_ facts: Facts) -> UInt64? {
    guard facts.activeStreams > 0 || limits.pingsWithoutCalls else { return nil }
    return limits.keepaliveTime.map { lastRead.adding($0) }
  }

  private func nextDeadline(_ facts: Facts, at now: UInt64) -> UInt64? {
    var next = UInt64.max
    if let pingSent {
      next = min(next, pingSent.adding(limits.keepaliveTimeout))
      // An answer wakes nobody: it is looked for when the next ping would be due.
      if let time = limits.keepaliveTime, pingSent.adding(time) > now { next = min(next, pingSent.adding(time)) }
    }
    if pingSent == nil, let time = pingTime(facts) { next = min(next, time) }
    if facts.isOutputBlocked { next = min(next, lastWrite.adding(limits.stallTime)) }
    if facts.activeStreams > 0 { next = min(next, nextLook) }
    switch drain {
    case .refused(let since):
      if hasRunOutOfAge, let grace = limits.ageGrace { next = min(next, since.adding(grace)) }
    case .announced(let since): next = min(next, since.adding(limits.keepaliveTimeout))
    case .none:
      if let ageNanoseconds { next = min(next, born.addingReportingOverflow(ageNanoseconds).partialValue) }
      if let idle = limits.idleTime, facts.activeStreams == 0 { next = min(next, emptySince.adding(idle)) }
    }
    return next == .max ? nil : next
  }
}

extension Duration {
  /// In nanoseconds; nothing below zero, and no overflow.
  var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0 else { return 0 }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max / 4 : min(whole + UInt64(max(0, attoseconds)) / 1_000_000_000, .max / 4)
  }
}

extension UInt64 {
  fileprivate func adding(_ duration: Duration) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(duration.wholeNanoseconds)
    return overflow ? .max : sum
  }
}

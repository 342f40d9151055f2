import Core
import Storage
import Synchronization

/// What callers on any thread give to the driver's thread: lines of work, each with a limit.
final class Lines: Sendable {
  fileprivate struct State: Sendable {
    var interactive = WaitingLine<Work>()
    var bulk = WaitingLine<Work>()
    var points = WaitingLine<Work>()
    var scans = WaitingLine<Work>()
    var upkeep = WaitingLine<Work>()
    var lastNumber: UInt64 = 0
    /// Scans whose callers have gone while they ran.
    var abandoned: Set<UInt64> = []
    /// Bulk batches that run.
    var runningBulk: Set<UInt64> = []
    var isClosing = false
  }

  /// Which line.
  enum Line: Sendable {
    case interactive, bulk, point, scan, upkeep
  }

  private let state = Mutex(State())
  private let limits: PostgresLimits
  private let clock: any Clock
  private let poller: Poller

  init(limits: PostgresLimits, clock: any Clock, poller: Poller) {
    (self.limits, self.clock, self.poller) = (limits, clock, poller)
  }

  // MARK: Called by anyone

  /// Waits in a line for a connection, and for the end of the exchange. A cancelled task leaves the line; one whose work runs waits
  /// for its end, unless it is a scan, which is given up.
  func perform<Conversation: Exchange>(
    _ exchange: Conversation, _ line: Line, onSuccess: @escaping @Sendable () -> Void = {}
  ) async throws -> Conversation.Success {
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let work = Work(
          number: number, role: line.role, sinceNanoseconds: clock.monotonicNanoseconds(), exchange,
          onSuccess: onSuccess, continuation: continuation)
        let refusal: (any Error)? = state.withLock { state in
          if state.isClosing { return StorageError.closed }
          // Under the lock: a cancellation from here on finds the work.
          if Task.isCancelled { return CancellationError() }
          let (name, limit) = self.limit(of: line)
          guard state[line].count < limit else { return StorageError.overloaded(queue: name, limit: limit) }
          state[line].append(work)
          return nil
        }
        if let refusal { continuation.resume(throwing: refusal) } else { poller.wake() }
      }
    } onCancel: {
      abandon(number, line)
    }
  }

  /// Refuses further work; the thread ends when what waits is done. False if it was called before.
  func beginClosing() -> Bool {
    let isFirst = state.withLock { state in
      defer { state.isClosing = true }
      return !state.isClosing
    }
    poller.wake()
    return isFirst
  }

  private func abandon(_ number: UInt64, _ line: Line) {
    let waiting = state.withLock { state in
      let waiting = state[line].remove { $0.number == number }
      if waiting == nil, line == .scan { state.abandoned.insert(number) }
      return waiting
    }
    if let waiting { waiting.fail(CancellationError()) } else if line == .scan { poller.wake() }
  }

  private func limit(of line: Line) -> (name: String, limit: Int) {
    switch line {
    case .interactive: ("writes", limits.interactiveQueue)
    case .bulk: ("bulk writes", limits.bulkQueue)
    case .point: ("point queries", limits.pointQueue)
    case .scan: ("scans", limits.scanQueue)
    case .upkeep: ("changes of the schema", 16)
    }
  }

  // MARK: On the driver's thread

  /// The next work for a connection. Interactive batches go first; imports have a connection of their own now and then.
  func next(_ role: ConnectionRole) -> Work? {
    state.withLock { state in
      switch role {
      case .point: return state.points.popFirst()
      case .scan: return state.scans.popFirst()
      case .upkeep: return state.upkeep.popFirst()
      case .write:
        let bulkIsDue = state.interactive.isEmpty || state.runningBulk.isEmpty
        if bulkIsDue, state.runningBulk.count < limits.bulkConnections, let work = state.bulk.popFirst() {
          state.runningBulk.insert(work.number)
          return work
        }
        return state.interactive.popFirst()
      }
    }
  }

  /// How many wait for a connection of this kind.
  func waiting(_ role: ConnectionRole) -> Int {
    state.withLock { state in
      switch role {
      case .point: state.points.count
      case .scan: state.scans.count
      case .upkeep: state.upkeep.count
      case .write: state.interactive.count + min(state.bulk.count, limits.bulkConnections - state.runningBulk.count)
      }
    }
  }

  /// All work for a connection of this kind that has waited since before then.
  func removeWaiting(_ role: ConnectionRole, sinceBefore time: UInt64) -> [Work] {
    state.withLock { state in
      var removed: [Work] = []
      for line in Line.lines(of: role) {
        while let work = state[line].remove(where: { $0.sinceNanoseconds <= time }) { removed.append(work) }
      }
      return removed
    }
  }

  /// A work's caller has been told.
  func noteEnd(_ number: UInt64) { state.withLock { _ = $0.runningBulk.remove(number) } }

  /// Scans that nobody waits for any more and that were not told of yet.
  func takeAbandoned() -> Set<UInt64> {
    state.withLock { state in
      defer { state.abandoned = [] }
      return state.abandoned
    }
  }

  /// True when no work will come.
  var isClosing: Bool { state.withLock { $0.isClosing } }
}

extension Lines.Line {
  fileprivate var role: ConnectionRole {
    switch self {
    case .interactive, .bulk: .write
    case .point: .point
    case .scan: .scan
    case .upkeep: .upkeep
    }
  }

  fileprivate static func lines(of role: ConnectionRole) -> [Lines.Line] {
    switch role {
    case .write: [.interactive, .bulk]
    case .point: [.point]
    case .scan: [.scan]
    case .upkeep: [.upkeep]
    }
  }
}

extension Lines.State {
  fileprivate subscript(line: Lines.Line) -> WaitingLine<Work> {
    get {
      switch line {
      case .interactive: interactive
      case .bulk: bulk
      case .point: points
      case .scan: scans
      case .upkeep: upkeep
      }
    }
    _modify {
      switch line {
      case .interactive: yield &interactive
      case .bulk: yield &bulk
      case .point: yield &points
      case .scan: yield &scans
      case .upkeep: yield &upkeep
      }
    }
  }
}

import Core
import Storage

/// The driver's thread: gives work to connections, carries their rounds, opens connections when more work waits than there are, and
/// repeats what was lost before its COMMIT.
final class Driver {
  /// Pause between two looks at what has no event of its own: patience, silence, back-off.
  private static let lookMilliseconds: CInt = 50
  private static let idleLookMilliseconds: CInt = 1_000

  private let location: PostgresLocation
  private let limits: PostgresLimits
  private let clock: any Clock
  private let lines: Lines
  private let poller: Poller
  private var pools: [Pool]
  private var lastNumber: UInt64 = 0

  init(location: PostgresLocation, limits: PostgresLimits, clock: any Clock, lines: Lines, poller: Poller) {
    (self.location, self.limits, self.clock) = (location, limits, clock)
    (self.lines, self.poller) = (lines, poller)
    pools = ConnectionRole.allCases.map { Pool($0, limits: limits) }
  }

  /// The thread's whole life.
  func run() {
    while true {
      dropAbandoned()
      for index in pools.indices { serve(index) }
      if lines.isClosing, pools.allSatisfy({ $0.running.isEmpty && $0.repeated.isEmpty && lines.waiting($0.role) == 0 })
      {
        break
      }
      for number in poller.wait(milliseconds: pauseMilliseconds()) {
        for index in pools.indices {
          guard let connection = pools[index].connections[number] else { continue }
          handle(connection.proceed(), of: connection, index)
        }
      }
      look()
    }
    for pool in pools { for connection in pool.connections.values { connection.close() } }
  }

  /// Work for idle connections; further connections for work that waits.
  private func serve(_ index: Int) {
    while let connection = pools[index].idle {
      let repeated = pools[index].repeated.isEmpty ? nil : pools[index].repeated.removeFirst()
      guard let work = repeated ?? lines.next(pools[index].role) else { return }
      start(work, on: connection, index)
    }
    let now = clock.monotonicNanoseconds()
    let waiting = pools[index].repeated.count + lines.waiting(pools[index].role)
    while pools[index].openingCount < waiting, pools[index].connections.count < pools[index].maximum,
      pools[index].pauseEndNanoseconds <= now
    {
      // While the server cannot be reached one attempt at a time is enough.
      if pools[index].failure != nil, pools[index].openingCount > 0 { return }
      open(index, now: now)
    }
  }

  private func open(_ index: Int, now: UInt64) {
    lastNumber += 1
    let connection = ServerConnection(
      number: lastNumber, role: pools[index].role, location: location, limits: limits, poller: poller, now: now)
    guard let connection else {
      let error = StorageError.unreachable(path: location.description, reason: "no memory for a connection")
      return pools[index].noteFailure(error, limits, now: now)
    }
    pools[index].connections[connection.number] = connection
    handle(connection.start(), of: connection, index)
  }

  private func start(_ work: Work, on connection: ServerConnection, _ index: Int) {
    var work = work
    work.attempts += 1
    let attempt = work.begin()
    pools[index].running[connection.number] = (work, attempt)
    handle(connection.send(attempt.first, now: clock.monotonicNanoseconds()), of: connection, index)
  }

  private func handle(_ event: ServerConnection.Event, of connection: ServerConnection, _ index: Int) {
    switch event {
    case .nothing: return
    case .ready: pools[index].noteOpened()
    case .replies(let replies): advance(replies, on: connection, index)
    case .lost(let reason, let isCommitInDoubt):
      pools[index].connections[connection.number] = nil
      let error = StorageError.unreachable(path: location.description, reason: reason)
      guard let (work, _) = pools[index].running.removeValue(forKey: connection.number) else {
        return pools[index].noteFailure(error, limits, now: clock.monotonicNanoseconds())
      }
      if isCommitInDoubt {
        end(work, StorageError.unknownOutcome(path: location.description))
      } else {
        again(work, error, index)
      }
    case .refused(let error):
      pools[index].connections[connection.number] = nil
      pools[index].noteFailure(error, limits, now: clock.monotonicNanoseconds())
      if !pools[index].isReachable { failWaiting(index, error, sinceBefore: .max) }
    }
  }

  private func advance(_ replies: [Reply], on connection: ServerConnection, _ index: Int) {
    guard let (work, attempt) = pools[index].running[connection.number] else { return }
    switch attempt.advance(replies) {
    case .round(let round):
      guard connection.isAlive else {
        // Answered in full, then lost: what it had begun is taken back by the server.
        pools[index].running[connection.number] = nil
        pools[index].connections[connection.number] = nil
        return again(work, .unreachable(path: location.description, reason: "connection lost"), index)
      }
      handle(connection.send(round, now: clock.monotonicNanoseconds()), of: connection, index)
    case .end:
      pools[index].running[connection.number] = nil
      if !connection.isAlive { pools[index].connections[connection.number] = nil }
      lines.noteEnd(work.number)
    case .again(let error, let onAnotherConnection):
      pools[index].running[connection.number] = nil
      if onAnotherConnection { connection.close() }
      if !connection.isAlive { pools[index].connections[connection.number] = nil }
      again(work, error, index)
    }
  }

  /// Nothing of it was written, so it may run again; but not for ever.
  private func again(_ work: Work, _ error: StorageError, _ index: Int) {
    guard work.attempts < limits.attempts else { return end(work, error) }
    var work = work
    work.lastError = error
    pools[index].repeated.append(work)
  }

  private func end(_ work: Work, _ error: any Error) {
    lines.noteEnd(work.number)
    work.fail(error)
  }

  private func failWaiting(_ index: Int, _ error: StorageError, sinceBefore time: UInt64) {
    for work in lines.removeWaiting(pools[index].role, sinceBefore: time) { end(work, error) }
    let repeated = pools[index].repeated
    pools[index].repeated = repeated.filter { $0.sinceNanoseconds > time }
    for work in repeated where work.sinceNanoseconds <= time { end(work, work.lastError ?? error) }
  }

  /// A scan that nobody waits for: its connection is closed, upon which the server stops it.
  private func dropAbandoned() {
    let abandoned = lines.takeAbandoned()
    guard !abandoned.isEmpty else { return }
    for index in pools.indices {
      for (number, (work, _)) in pools[index].running where abandoned.contains(work.number) {
        pools[index].connections.removeValue(forKey: number)?.close()
        pools[index].running[number] = nil
        end(work, CancellationError())
      }
      for work in pools[index].repeated where abandoned.contains(work.number) { end(work, CancellationError()) }
      pools[index].repeated.removeAll { abandoned.contains($0.number) }
    }
  }

  /// What time brings: connections that do not open, servers that do not answer, callers that have waited long enough.
  private func look() {
    let now = clock.monotonicNanoseconds()
    for index in pools.indices {
      for connection in pools[index].connections.values where connection.isOpening || !connection.isIdle {
        let limit = connection.isOpening ? limits.connectMilliseconds : limits.silenceMilliseconds
        let isUnlimited = pools[index].role == .upkeep && !connection.isOpening
        if !isUnlimited, now > connection.sinceNanoseconds + UInt64(limit) * 1_000_000 {
          handle(connection.lose(), of: connection, index)
        }
      }
      if !pools[index].isReachable, let failure = pools[index].failure {
        let patience = UInt64(limits.patienceMilliseconds) * 1_000_000
        if now > patience { failWaiting(index, failure, sinceBefore: now - patience) }
      }
    }
  }

  /// How long to wait for an event: shortly while something depends on time.
  private func pauseMilliseconds() -> CInt {
    var pause: CInt = -1
    for pool in pools {
      if pool.openingCount > 0 || !pool.repeated.isEmpty || pool.failure != nil && lines.waiting(pool.role) > 0 {
        return Driver.lookMilliseconds
      }
      if !pool.running.isEmpty { pause = Driver.idleLookMilliseconds }
    }
    return pause
  }
}

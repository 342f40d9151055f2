import Core
import Glibc
import RPCCore
import RPCReflection
import RPCTransport

/// One run: connects, looks the methods up, starts the lanes and gathers what they have measured.
struct LoadRun: Sendable {
  let target: LoadTarget
  let mix: CallMix
  let plan: LoadPlan
  let metadata: Metadata
  let onlyReflection: Bool
  let showsProgress: Bool

  /// Runs until its end, or until SIGINT or SIGTERM.
  func result() async throws -> LoadResult {
    let signals = try SignalWatch([SIGINT, SIGTERM])
    let group = try EventLoopGroup(count: plan.loops)
    defer { group.stop() }
    signals.start(on: group.first)
    let context = try TLSContext(target.tls, role: .client)
    let calls = try await group.first.run { try await prepare(group.first, context) }
    let lanes = group.loops.enumerated().map { index, loop in
      LoadLane(loop: loop, plan: plan, share: plan.share(index), calls: calls) { target.pool(loop, context) }
    }
    for lane in lanes { try await lane.loop.run { try await lane.connect() } }

    let start = group.first.clock.monotonicNanoseconds()
    let ending = group.first.spawn {
      await signals.next()
      for lane in lanes { lane.loop.execute { lane.stop() } }
    }
    let progress = ProgressLine(plan: plan, lanes: lanes, start: start, isShown: showsProgress)
    let telling = group.first.spawn { await progress.run(on: group.first) }
    let running = lanes.map { lane in lane.loop.spawn { await lane.run(from: start) } }
    for task in running { await task.value }
    telling.cancel()
    await telling.value
    ending.cancel()
    return try await gather(lanes, start: start)
  }

  private func gather(_ lanes: [LoadLane], start: UInt64) async throws -> LoadResult {
    var figures = LaneFigures()
    var isCutShort = false
    for lane in lanes {
      let (part, wasStopped) = try await lane.loop.run { (lane.figures, lane.wasStopped) }
      figures.add(part)
      isCutShort = isCutShort || wasStopped
    }
    let begin = start + plan.leadNanoseconds
    return LoadResult(
      target: target.authority, methods: mix.entries.map(\.method), plan: plan, figures: figures,
      measuredNanoseconds: figures.lastEndNanoseconds > begin ? figures.lastEndNanoseconds - begin : 0,
      isCutShort: isCutShort)
  }

  /// Looks up each method of the mix and reads its request.
  private func prepare(_ loop: EventLoop, _ context: TLSContext) async throws -> [PreparedCall] {
    let source = target.pool(loop, context)
    let channel = ClientChannel(source, loop: loop)
    defer { channel.close() }
    var methods: [String: CallableMethod] = [:]
    var calls: [PreparedCall] = []
    for entry in mix.entries {
      let deadline = Deadline(after: .seconds(30), clock: loop.clock)
      let lookup = MethodLookup(
        channel: channel, address: target.authority, options: CallOptions(deadline: deadline, metadata: metadata))
      let method: CallableMethod
      if let known = methods[entry.method] {
        method = known
      } else {
        method = try await lookup.find(entry.method, onlyReflection: onlyReflection)
      }
      methods[entry.method] = method
      calls.append(
        try PreparedCall(
          entry, method: method, authority: source.authority,
          timeout: "\(max(1, plan.deadlineNanoseconds / 1_000_000))m",
          metadata: metadata))
    }
    return calls
  }
}

/// Whom to call, and as whom.
struct LoadTarget: Sendable {
  let host: String
  let port: Int
  /// The name that the server's certificate must have; the host if nil.
  let serverName: String?
  let tls: TLSConfiguration

  var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  func pool(_ loop: EventLoop, _ context: TLSContext) -> ConnectionPool {
    ConnectionPool([ConnectionTarget(host: host, port: port, serverName: serverName)], loop: loop, context: context)
  }
}

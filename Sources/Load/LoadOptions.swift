import ArgumentParser
import RPCCore
import RPCTransport

/// Whom to call: HOST:PORT and certificates.
struct TargetOptions: ParsableArguments {
  @Option(help: "HOST:PORT to call.") var target: String
  @Option(help: "Authority that the server's certificate must come from, PEM.") var ca: String
  @Option(help: "Own certificate, PEM.") var cert: String?
  @Option(help: "Own private key, PEM.") var key: String?
  @Option(help: "Name that the server's certificate must have; the host without it.") var serverName: String?

  func loadTarget() throws(LoadFailure) -> LoadTarget {
    guard let colon = target.lastIndex(of: ":"), let port = Int(target[target.index(after: colon)...]),
      (1...65_535).contains(port)
    else { throw .usage("--target: \(target) is not HOST:PORT") }
    var host = target[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { throw .usage("--target: \(target) is not HOST:PORT") }
    guard (cert == nil) == (key == nil) else { throw .usage("--cert and --key belong together") }
    return LoadTarget(
      host: String(host), port: port, serverName: serverName,
      tls: TLSConfiguration(authorityPath: ca, certificateChainPath: cert, privateKeyPath: key))
  }
}

/// How many calls, and when.
struct PaceOptions: ParsableArguments {
  /// Most of each, so that a slip of the finger does not fill the memory.
  private static let maximumConnections = 10_000
  private static let maximumStreams = 10_000
  private static let maximumSlots = 1_000_000
  private static let maximumRate = 10_000_000.0

  @Option(
    help: "Open loop: so many calls a second, whether answered or not. Without it each answer begins the next call.")
  var rate: Double?
  @Option(help: "Connections.") var connections = 1
  @Option(help: "Calls at once on each connection.") var streams = 1
  @Option(help: "How long to measure, for example 10s, 500ms, 2m; 10s without --calls.") var duration: TimeSpan?
  @Option(help: "How many calls to measure, instead of --duration.") var calls: Int?
  @Option(help: "Calls before what is measured, so long.") var warmUp = TimeSpan.zero
  @Option(help: "Before the warm-up: so long until all calls at once, or the rate, are reached.") var ramp = TimeSpan
    .zero
  @Option(help: "When a call without an answer has failed.") var deadline = TimeSpan(nanoseconds: 10_000_000_000)
  @Option(help: "Threads; one is enough for most servers.") var loops = 1
  @Flag(
    help: """
      With --rate: sleep until each call is due instead of watching the clock, so that others may have the core; calls begin \
      up to a millisecond late.
      """)
  var sleepBetweenCalls = false
  @Option(help: "Seed of the mix and of random placeholders; drawn without it.") var seed: UInt64?

  func plan(seed drawn: UInt64) throws(LoadFailure) -> LoadPlan {
    guard duration == nil || calls == nil else { throw .usage("--duration and --calls: give one of them") }
    try check("--connections", connections, 1...PaceOptions.maximumConnections)
    try check("--streams", streams, 1...PaceOptions.maximumStreams)
    try check("--connections × --streams", connections * streams, 1...PaceOptions.maximumSlots)
    try check("--loops", loops, 1...min(EventLoopGroup.maximumLoops, connections))
    try check("--calls", calls ?? 1, 1...Int(UInt32.max))
    guard rate != nil || !sleepBetweenCalls else { throw .usage("--sleep-between-calls belongs to --rate") }
    if let rate, !(rate > 0 && rate <= PaceOptions.maximumRate) {
      throw .usage("--rate must be above 0 and at most \(Int(PaceOptions.maximumRate))")
    }
    guard deadline.nanoseconds > 0, duration?.nanoseconds != 0 else {
      throw .usage("--deadline and --duration must be above 0")
    }
    return LoadPlan(
      pace: rate.map { .open(callsPerSecond: $0) } ?? .closed,
      extent: calls.map { .calls($0) } ?? .nanoseconds(duration?.nanoseconds ?? 10_000_000_000),
      rampNanoseconds: ramp.nanoseconds, warmUpNanoseconds: warmUp.nanoseconds, connections: connections,
      streams: streams, deadlineNanoseconds: deadline.nanoseconds, loops: loops, seed: seed ?? drawn,
      sleepsBetweenCalls: sleepBetweenCalls)
  }

  private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(LoadFailure) {
    guard range.contains(value) else {
      throw .usage("\(name) must be from \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

/// A length of time as people write it: "500ms", "10s", "2m", "1h"; a bare number is seconds.
struct TimeSpan: ExpressibleByArgument, Sendable, Equatable {
  static let zero = TimeSpan(nanoseconds: 0)
  private static let units: [String: UInt64] = [
    "ms": 1_000_000, "s": 1_000_000_000, "": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000,
  ]

  let nanoseconds: UInt64

  init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = UInt64(digits), number <= 1_000_000,
      let unit = TimeSpan.units[String(argument.dropFirst(digits.count))]
    else { return nil }
    nanoseconds = number * unit
  }

  var defaultValueDescription: String { "\(nanoseconds / 1_000_000)ms" }
}

/// A share as people write it: "0.1%" or "0.001".
struct Share: ExpressibleByArgument, Sendable, Equatable {
  let value: Double

  init(value: Double) { self.value = value }

  init?(argument: String) {
    let isPercent = argument.hasSuffix("%")
    guard let number = Double(isPercent ? String(argument.dropLast()) : argument) else { return nil }
    value = isPercent ? number / 100 : number
    guard (0...1).contains(value) else { return nil }
  }

  var defaultValueDescription: String { decimal(value, digits: 3) }
}

import Core

/// What a run came to.
struct LoadResult: Sendable {
  let target: String
  let methods: [String]
  let plan: LoadPlan
  let figures: LaneFigures
  /// From the first measured moment to the end of the last measured call.
  let measuredNanoseconds: UInt64
  /// Whether somebody ended the run before its time.
  let isCutShort: Bool

  private static let shares: [(name: String, share: Double)] = [
    ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999),
  ]

  /// Measured calls.
  var calls: Int { figures.latencies.total }
  /// Failed ones as a share of all, 0 to 1; all if there was no call.
  var failedShare: Double { calls == 0 ? 1 : Double(figures.failed) / Double(calls) }
  /// Answered calls a second.
  var callsPerSecond: Double {
    measuredNanoseconds == 0 ? 0 : Double(figures.succeeded) * 1e9 / Double(measuredNanoseconds)
  }
  /// CPU time of this program for each call.
  var ownMicrosecondsPerCall: Double { calls == 0 ? 0 : Double(figures.cpuNanoseconds) / 1e3 / Double(calls) }
  private var bytesPerReply: Double {
    figures.succeeded == 0 ? 0 : Double(figures.replyBytes) / Double(figures.succeeded)
  }

  /// For people.
  var text: String {
    let seconds = decimal(Double(measuredNanoseconds) / 1e9, digits: 2)
    var lines = [
      "\(methods.joined(separator: ", ")) at \(target)\(isCutShort ? ", cut short" : "")",
      "\(grouped(calls)) calls in \(seconds) s: \(grouped(Int(callsPerSecond))) answered a second, "
        + "\(grouped(figures.failed)) failed (\(decimal(failedShare * 100, digits: 3)) %)",
    ]
    for (outcome, count) in figures.outcomes.sorted(by: { $0.value > $1.value }) {
      lines.append("  \(grouped(count)) \(outcome): \(figures.messages[outcome] ?? "")")
    }
    lines.append("latency from when each call was due:")
    let latencies = figures.latencies
    lines.append(
      "  mean \(padded(readable(nanoseconds: UInt64(latencies.mean)), 13)), least \(readable(nanoseconds: latencies.minimum))"
    )
    for (name, share) in LoadResult.shares {
      lines.append("  \(name)\(padded(readable(nanoseconds: latencies.value(atShare: share)), 18 - name.count))")
    }
    lines.append("  max \(padded(readable(nanoseconds: latencies.maximum), 14))")
    lines.append(
      "replies of \(decimal(bytesPerReply, digits: 0)) bytes; own CPU time "
        + "\(decimal(ownMicrosecondsPerCall, digits: 2)) µs a call")
    return lines.joined(separator: "\n") + "\n"
  }

  /// For programs: one JSON object; times in microseconds where the name does not say otherwise.
  var json: String {
    let latencies = figures.latencies
    let micros = { (nanoseconds: UInt64) in decimal(Double(nanoseconds) / 1e3, digits: 3) }
    let percentiles = { (latencies: LatencyHistogram) in
      LoadResult.shares.map { "\(jsonString($0.name)): \(micros(latencies.value(atShare: $0.share)))" }
        .joined(separator: ", ")
    }
    var outcomes = figures.outcomes
    if figures.succeeded > 0 { outcomes["OK"] = figures.succeeded }
    let counts = outcomes.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)): \($0.value)" }
    return """
      {
        "target": \(jsonString(target)),
        "methods": [\(methods.map(jsonString).joined(separator: ", "))],
        "pace": \(jsonString(plan.pace == .closed ? "closed" : "open")),
        "connections": \(plan.connections), "streams": \(plan.streams), "loops": \(plan.loops), "seed": \(plan.seed),
        "cut_short": \(isCutShort),
        "seconds": \(decimal(Double(measuredNanoseconds) / 1e9, digits: 6)),
        "calls": \(calls), "failed": \(figures.failed), "failed_share": \(decimal(failedShare, digits: 9)),
        "outcomes": {\(counts.joined(separator: ", "))},
        "calls_per_second": \(decimal(callsPerSecond, digits: 3)),
        "latency_microseconds": {"mean": \(decimal(latencies.mean / 1e3, digits: 3)), "min": \(micros(latencies.minimum)), \
      \(percentiles(latencies)), "max": \(micros(latencies.maximum))},
        "ok_latency_microseconds": {\(percentiles(figures.answered))},
        "reply_bytes": \(decimal(bytesPerReply, digits: 1)),
        "client_cpu_microseconds_per_call": \(decimal(ownMicrosecondsPerCall, digits: 3))
      }

      """
  }
}

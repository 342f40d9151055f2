import Core
import Glibc
import RPCTransport

/// One line on standard error that tells how a run goes, written over itself twice a second.
struct ProgressLine: Sendable {
  private static let interval = Duration.milliseconds(500)

  let plan: LoadPlan
  let lanes: [LoadLane]
  let start: UInt64
  let isShown: Bool

  /// Writes until its task is cancelled, and leaves no line behind.
  func run(on loop: EventLoop) async {
    guard isShown else { return }
    while (try? await loop.sleep(for: ProgressLine.interval)) != nil {
      var figures = LaneFigures()
      for lane in lanes {
        guard let part = try? await lane.loop.run({ lane.figures }) else { return }
        figures.add(part)
      }
      write("\r\(text(figures, now: loop.clock.monotonicNanoseconds()))\u{1B}[K")
    }
    write("\r\u{1B}[K")
  }

  /// "warm-up 1 s" before the first measured call, then what has been measured.
  func text(_ figures: LaneFigures, now: UInt64) -> String {
    let elapsed = now > start ? now - start : 0
    guard elapsed >= plan.leadNanoseconds else {
      let phase = elapsed < plan.rampNanoseconds ? "ramp" : "warm-up"
      return "\(phase) \(elapsed / 1_000_000_000) s, \(grouped(figures.callsUnderWay)) under way"
    }
    let seconds = Double(elapsed - plan.leadNanoseconds) / 1e9
    let rate = seconds > 0 ? Double(figures.succeeded) / seconds : 0
    let latencies = figures.latencies
    return "\(Int(seconds)) s, \(grouped(latencies.total)) calls, \(grouped(Int(rate)))/s, "
      + "p50 \(readable(nanoseconds: latencies.value(atShare: 0.5))), "
      + "p99 \(readable(nanoseconds: latencies.value(atShare: 0.99))), \(grouped(figures.failed)) failed, "
      + "\(grouped(figures.callsUnderWay)) under way"
  }

  private func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

import Core
import Identity
import Logging
import RPCCore
import Synchronization

/// Counts and logs what is refused for who asks. All are counted; of each reason so few lines are written that who tries again and
/// again fills no disk, and the next line says how many were left out. Nothing of a token comes here.
public final class RefusalLog: Sendable {
  private struct Account {
    var count = 0
    /// Of one reason twenty lines at once, and one more in ten seconds.
    var lines = LineAllowance(burst: 20, secondsPerLine: 10)

    mutating func add(at now: UInt64) -> Int? {
      count += 1
      return lines.take(at: now)
    }
  }

  private let accounts = Mutex<[AccessRefusal.Reason: Account]>([:])
  private let logger: Logger?
  private let clock: any Clock

  /// Writes to this log, if there is one.
  public init(logger: Logger?, clock: some Clock) {
    (self.logger, self.clock) = (logger, clock)
  }

  /// Notes an error if it is such a refusal. `method` is named only if it exists: what strangers make up is not written.
  public func note(_ error: RPCError, peer: Peer, method: String?) {
    if let refusal = error.cause as? AccessRefusal { note(refusal.reason, address: peer.address, method: method) }
  }

  /// Notes a refusal of a peer; `detail` is of our own making.
  public func note(_ reason: AccessRefusal.Reason, address: String, method: String? = nil, detail: String? = nil) {
    let now = clock.monotonicNanoseconds()
    guard let unlogged = accounts.withLock({ $0[reason, default: Account()].add(at: now) }) else { return }
    var metadata: Logger.Metadata = ["reason": .string(reason.label), "peer": .string(address)]
    if let method { metadata["method"] = .string(method) }
    if let detail { metadata["detail"] = .string(detail) }
    if unlogged > 0 { metadata["not_logged_before"] = "\(unlogged)" }
    logger?.warning("refused", metadata: metadata)
  }

  /// The counts, for /metrics.
  public var gauges: [Gauge] {
    let accounts = accounts.withLock { $0 }
    return AccessRefusal.Reason.allCases.map { reason in
      Gauge(
        "mainstay_access_refused_total", help: "Calls and connections that were refused for who made them, by reason.",
        labels: ["reason": reason.label], value: Double(accounts[reason]?.count ?? 0))
    }
  }
}

extension AccessRefusal.Reason {
  fileprivate var label: String { rawValue.lowercased() }
}

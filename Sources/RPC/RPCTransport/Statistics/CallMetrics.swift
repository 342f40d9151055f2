import RPCCore

/// Figures of the calls to one method.
public struct MethodFigures: Sendable {
  /// Figures of the calls that ended with one status.
  public struct Ended: Sendable {
    /// From the first header to the status, in seconds.
    public var duration = Histogram(bounds: Histogram.secondsBounds)
    /// Bytes of all messages of a call, as they went over the wire.
    public var sentBytes = Histogram(bounds: Histogram.bytesBounds)
    /// Bytes of all messages of a call, as they came over the wire.
    public var receivedBytes = Histogram(bounds: Histogram.bytesBounds)

    static func += (total: inout Ended, other: Ended) {
      total.duration += other.duration
      total.sentBytes += other.sentBytes
      total.receivedBytes += other.receivedBytes
    }
  }

  /// "service/method", or "other".
  public let method: String
  /// Calls that began.
  public internal(set) var started = 0
  /// By the number of the status; nil if no call ended with it.
  public internal(set) var ended = [Ended?](repeating: nil, count: StatusCode.allCases.count)

  init(method: String) { self.method = method }

  static func += (total: inout MethodFigures, other: MethodFigures) {
    total.started += other.started
    for (code, figures) in other.ended.enumerated() {
      guard let figures else { continue }
      if total.ended[code] == nil { total.ended[code] = Ended() }
      total.ended[code]? += figures
    }
  }
}

/// Figures of calls, by method: those that a loop's servers answered, or those that a channel made. Plain numbers, counted up
/// by one loop; memory is taken once for each method and status that occurs.
public final class CallMetrics {
  /// What is counted up on every call: classes, so that no array is checked and no figure copied on the way to it.
  private final class Counter {
    let method: String
    var started = 0
    var ended = [EndedCounter?](repeating: nil, count: StatusCode.allCases.count)

    init(method: String) { self.method = method }

    var figures: MethodFigures {
      var figures = MethodFigures(method: method)
      figures.started = started
      figures.ended = ended.map { $0?.figures }
      return figures
    }
  }

  private final class EndedCounter {
    var figures = MethodFigures.Ended()
  }

  /// By `MethodDescriptor.number` plus one; the first is for all that have no place of their own.
  private var methods: [Counter?] = []

  /// Nothing yet.
  public init() {}

  /// A call began; nil for a method that is not known.
  public func began(_ method: MethodDescriptor?) {
    let place = place(method)
    if place < methods.count, let counter = methods[place] {
      counter.started += 1
      return
    }
    if place >= methods.count {
      methods.append(contentsOf: [Counter?](repeating: nil, count: place + 1 - methods.count))
    }
    let counter = Counter(method: place == 0 ? "other" : String(method?.path.dropFirst() ?? ""))
    counter.started = 1
    methods[place] = counter
  }

  /// A call that began has ended.
  public func ended(
    _ method: MethodDescriptor?, _ code: StatusCode, nanoseconds: UInt64, sentBytes: Int, receivedBytes: Int
  ) {
    let place = place(method)
    guard place < methods.count, let counter = methods[place] else { return }
    let ended = counter.ended[code.rawValue] ?? EndedCounter()
    if counter.ended[code.rawValue] == nil { counter.ended[code.rawValue] = ended }
    ended.figures.duration.record(Double(nanoseconds) / 1e9)
    ended.figures.sentBytes.record(Double(sentBytes))
    ended.figures.receivedBytes.record(Double(receivedBytes))
  }

  /// All figures.
  public var figures: [MethodFigures] { methods.compactMap { $0?.figures } }

  private func place(_ method: MethodDescriptor?) -> Int { method?.number.map { $0 + 1 } ?? 0 }
}

/// Figures of the calls that a process made to one target.
public struct TargetFigures: Sendable {
  /// HOST:PORT.
  public let target: String
  /// By method.
  public let methods: [MethodFigures]
}

extension EventLoopGroup {
  /// Figures of the calls that were answered, in order of the methods' names; each loop tells of its own.
  public func serverMetrics() async throws -> [MethodFigures] {
    var figures: [MethodFigures] = []
    for loop in loops { figures += try await loop.run { loop.metrics.figures } }
    return figures.byMethod
  }

  /// Figures of the calls that were made, in order of the targets; each loop tells of its own.
  public func clientMetrics() async throws -> [TargetFigures] {
    var targets: [String: [MethodFigures]] = [:]
    for loop in loops {
      let own = try await loop.run {
        loop.directory.channels.map { ($0.authority, $0.metrics.figures) }
          + loop.directory.pools.map { ($0.authority, $0.attempts.figures) }
      }
      for (target, figures) in own { targets[target, default: []] += figures }
    }
    return targets.sorted { $0.key < $1.key }.map { TargetFigures(target: $0.key, methods: $0.value.byMethod) }
  }
}

extension [MethodFigures] {
  /// Joined by the methods' names, and in their order.
  fileprivate var byMethod: [MethodFigures] {
    var joined: [String: MethodFigures] = [:]
    for figures in self { joined[figures.method, default: MethodFigures(method: figures.method)] += figures }
    return joined.values.sorted { $0.method < $1.method }
  }
}

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
  /// By `MethodDescriptor.number` plus one; the first is for all that have no place of their own.
  private var methods: [MethodFigures?] = []

  /// Nothing yet.
  public init() {}

  /// A call began; nil for a method that is not known.
  public func began(_ method: MethodDescriptor?) {
    let place = place(method)
    if place >= methods.count {
      methods.append(contentsOf: [MethodFigures?](repeating: nil, count: place + 1 - methods.count))
    }
    if methods[place] == nil {
      methods[place] = MethodFigures(method: place == 0 ? "other" : String(method?.path.dropFirst() ?? ""))
    }
    methods[place]?.started += 1
  }

  /// A call that began has ended.
  public func ended(
    _ method: MethodDescriptor?, _ code: StatusCode, nanoseconds: UInt64, sentBytes: Int, receivedBytes: Int
  ) {
    let (place, code) = (place(method), code.rawValue)
    guard place < methods.count, methods[place] != nil else { return }
    if methods[place]?.ended[code] == nil { methods[place]?.ended[code] = MethodFigures.Ended() }
    methods[place]?.ended[code]?.duration.record(Double(nanoseconds) / 1e9)
    methods[place]?.ended[code]?.sentBytes.record(Double(sentBytes))
    methods[place]?.ended[code]?.receivedBytes.record(Double(receivedBytes))
  }

  /// All figures.
  public var figures: [MethodFigures] { methods.compactMap { $0 } }

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
      let own = try await loop.run { loop.directory.channels.map { ($0.authority, $0.metrics.figures) } }
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

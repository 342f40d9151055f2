import Core

/// The product-limit estimate of survival (Kaplan and Meier 1958). Times are compared exactly; at equal times events come before
/// the ends of observation.
public struct SurvivalCurve: Sendable {
  /// What ends a policy.
  public enum Event: Sendable {
    /// Surrender; another end is the end of observation.
    case surrender
    /// Any end.
    case anyEnd
  }

  /// A step of the curve.
  public struct Point: Hashable, Sendable {
    /// When.
    public let time: PolicyDuration
    /// Policies seen until then.
    public let atRisk: Int64
    /// Of those, how many ended then.
    public let events: Int64
    /// Estimated share that lives longer than that.
    public let survival: Double
  }

  private struct Count {
    var events: Int64 = 0
    var censored: Int64 = 0
  }

  /// Which event it is of.
  public let event: Event
  private var counts: [PolicyDuration: Count] = [:]
  /// Policies on the curve.
  public private(set) var total: Int64 = 0
  /// Of those, how many had the event.
  public private(set) var events: Int64 = 0
  /// Policies whose duration nobody knows.
  public private(set) var unknown = 0

  /// No policies yet.
  public init(event: Event) { self.event = event }

  /// Counts a policy.
  public mutating func add(_ policy: PolicyFact, today: CivilDate) {
    guard let duration = policy.duration(today: today) else {
      unknown += 1
      return
    }
    let isEvent = event == .anyEnd ? policy.hasEnded : policy.outcome == .ended(.surrender)
    total += 1
    events += isEvent ? 1 : 0
    counts[duration, default: Count()].events += isEvent ? 1 : 0
    counts[duration, default: Count()].censored += isEvent ? 0 : 1
  }

  /// The longest time that a policy was seen; nil without policies.
  public var longest: PolicyDuration? { counts.keys.max() }

  /// The steps: every time at which policies ended.
  public var points: [Point] {
    var points: [Point] = []
    var atRisk = total
    var survival = 1.0
    for (time, count) in counts.sorted(by: { $0.key < $1.key }) {
      if count.events > 0 {
        survival *= Double(atRisk - count.events) / Double(atRisk)
        points.append(Point(time: time, atRisk: atRisk, events: count.events, survival: survival))
      }
      atRisk -= count.events + count.censored
    }
    return points
  }

  /// The curve at these months, ascending: the last step at or before each, and how many policies are seen that long. Without a
  /// step before it the survival is 1; nil where nobody was seen that long.
  public func values(at months: [Int]) -> [(month: Int, atRisk: Int64, events: Int64, survival: Double?)] {
    let points = points
    let times = counts.sorted { $0.key < $1.key }
    return months.map { month in
      let limit = PolicyDuration(months: month)
      let before = points.prefix { $0.time <= limit }
      let seen = times.drop { $0.key < limit }.reduce(Int64(0)) { $0 + $1.value.events + $1.value.censored }
      let isDefined = seen > 0 || before.last.map { $0.survival == 0 } == true
      return (
        month, seen, before.reduce(0) { $0 + $1.events }, isDefined ? before.last?.survival ?? 1 : nil
      )
    }
  }
}

/// How a run goes: first the ramp, then the warm-up, then what is measured.
struct LoadPlan: Sendable {
  /// Who says when a call begins.
  enum Pace: Sendable, Equatable {
    /// The clock does: so many calls a second, whether earlier ones were answered or not.
    case open(callsPerSecond: Double)
    /// The answers do: each begins the next call.
    case closed
  }

  /// What is measured.
  enum Extent: Sendable, Equatable {
    case nanoseconds(UInt64)
    case calls(Int)
  }

  var pace: Pace
  var extent: Extent
  /// Time until all calls of a closed loop have begun, or until an open one has reached its rate.
  var rampNanoseconds: UInt64 = 0
  var warmUpNanoseconds: UInt64 = 0
  var connections = 1
  /// Calls at once on each connection.
  var streams = 1
  /// When a call has failed for want of an answer.
  var deadlineNanoseconds: UInt64 = 10_000_000_000
  /// Threads; the connections are dealt out to them.
  var loops = 1
  var seed: UInt64 = 0
  /// Whether an open loop also sleeps where the next call is due within a millisecond.
  var sleepsBetweenCalls = false

  /// Time before the first measured call.
  var leadNanoseconds: UInt64 { rampNanoseconds + warmUpNanoseconds }

  /// The plan of one of the loops: its share of the connections and calls.
  func share(_ index: Int) -> LaneShare {
    let part = { (whole: Int) in whole / loops + (index < whole % loops ? 1 : 0) }
    var calls = Int.max
    if case .calls(let number) = extent { calls = part(number) }
    return LaneShare(index: index, count: loops, connections: part(connections), measuredCalls: calls)
  }
}

/// Which part of a run one loop carries.
struct LaneShare: Sendable, Equatable {
  let index: Int
  let count: Int
  let connections: Int
  let measuredCalls: Int
}

/// When the calls of a run are due, counted in nanoseconds from its begin. A pure function of the call's number, so that a
/// call that could not begin in time is still counted from when it should have.
struct Schedule: Sendable {
  private let pace: LoadPlan.Pace
  private let ramp: Double
  private let slots: Int

  init(_ plan: LoadPlan) {
    pace = plan.pace
    ramp = Double(plan.rampNanoseconds)
    slots = plan.connections * plan.streams
  }

  /// When this call is due; nil if that is as soon as there is room for it.
  func due(_ number: Int) -> UInt64? {
    switch pace {
    case .closed: return number < slots ? UInt64(ramp * Double(number) / Double(slots)) : nil
    case .open(let callsPerSecond):
      let interval = 1e9 / callsPerSecond
      // The rate grows in a straight line, so the ramp has half the calls that its time would have.
      let rampCalls = ramp / interval / 2
      let position = Double(number)
      let due =
        position < rampCalls
        ? (2 * position * ramp * interval).squareRoot() : ramp + (position - rampCalls) * interval
      return UInt64(min(due, 1e18))
    }
  }
}

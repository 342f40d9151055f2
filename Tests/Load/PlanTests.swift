import Core
import Testing

@testable import mainstay_load

@Suite("Plans and requests")
struct PlanTests {
  private let open = LoadPlan(pace: .open(callsPerSecond: 1_000), extent: .nanoseconds(1_000_000_000))

  @Test("Calls of an open loop are due at even distances, whichever loop carries them")
  func openSchedule() {
    let schedule = Schedule(open)
    #expect((0..<4).map { schedule.due($0) } == [0, 1_000_000, 2_000_000, 3_000_000])
    #expect(schedule.due(1_000) == 1_000_000_000)
  }

  @Test("A ramp of an open loop has half the calls of its time, ever closer together")
  func openRamp() throws {
    var plan = open
    plan.rampNanoseconds = 2_000_000_000
    let schedule = Schedule(plan)
    let dues = try (0...1_001).map { try #require(schedule.due($0)) }
    #expect(dues[0] == 0 && dues[1_000] == 2_000_000_000 && dues[1_001] == 2_001_000_000)
    let gaps = zip(dues, dues.dropFirst()).map { $1 - $0 }
    #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $0 + 1 >= $1 })
  }

  @Test("The slots of a closed loop begin one after another during the ramp, and then with each answer")
  func closedRamp() {
    let plan = LoadPlan(
      pace: .closed, extent: .calls(10), rampNanoseconds: 1_000_000, connections: 2, streams: 2)
    let schedule = Schedule(plan)
    #expect((0..<5).map { schedule.due($0) } == [0, 250_000, 500_000, 750_000, nil])
  }

  @Test("The loops' shares are the whole")
  func shares() {
    var plan = LoadPlan(pace: .closed, extent: .calls(1_001))
    (plan.connections, plan.loops) = (5, 3)
    let shares = (0..<3).map { plan.share($0) }
    #expect(shares.map(\.connections) == [2, 2, 1])
    #expect(shares.reduce(0) { $0 + $1.measuredCalls } == 1_001)
  }

  @Test("Placeholders are filled anew for each call")
  func placeholders() throws {
    var random = SeededGenerator(seed: 1)
    let text = try RequestText("{\"a\": {{counter}}, \"b\": \"{{random:5:7}}\", \"c\": {\"d\": \"{{uuid}}\"}}")
    #expect(!text.isConstant)
    var uuids: Set<Substring> = []
    for number in 0..<50 {
      let filled = text.filled(counter: number, random: &random)
      let match = try #require(filled.wholeMatch(of: /{"a": (\d+), "b": "([567])", "c": {"d": "([0-9a-f]{32})"}}/))
      #expect(match.1 == "\(number)")
      uuids.insert(match.3)
    }
    #expect(uuids.count == 50)
    #expect(try RequestText("{\"a\": {\"b\": {}}}").isConstant)
  }

  @Test("A wrong placeholder is wrong usage", arguments: ["{{count}}", "{{random:7:5}}", "{{random:1}}", "{{counter"])
  func wrongPlaceholders(text: String) {
    #expect(throws: LoadFailure.self) { try RequestText(text) }
  }

  @Test(
    "A mix is read from YAML and from JSON",
    arguments: [
      "calls:\n- method: a.B/C\n  data: {n: 5, on: true, names: [x, '6']}\n  weight: 3\n- method: a.B/D\n",
      #"{"calls": [{"method": "a.B/C", "weight": 3, "data": {"n": 5, "on": true, "names": ["x", "6"]}}, {"method": "a.B/D"}]}"#,
    ])
  func mixes(text: String) throws {
    let mix = try CallMix(text: text, name: "mix")
    #expect(mix.entries.map(\.method) == ["a.B/C", "a.B/D"] && mix.entries.map(\.weight) == [3, 1])
    #expect(mix.entries[0].request == (try RequestText(#"{"n": 5, "on": true, "names": ["x", "6"]}"#)))
    #expect(mix.entries[1].request == (try RequestText("{}")))
  }

  @Test(
    "A wrong mix is wrong usage",
    arguments: [
      "", "calls: []", "calls: [{data: {}}]", "calls: [{method: a.B/C, weight: 0}]", "calls: [{method: a/b, x: 1}]",
    ])
  func wrongMixes(text: String) {
    #expect(throws: LoadFailure.self) { try CallMix(text: text, name: "mix") }
  }

  @Test("Weights are kept in the long run")
  func weights() {
    let choice = WeightedChoice([1, 0, 3])
    var random = SeededGenerator(seed: 3)
    var counts = [0, 0, 0]
    for _ in 0..<40_000 { counts[choice.pick(&random)] += 1 }
    #expect(counts[1] == 0)
    #expect((9_500...10_500).contains(counts[0]), "\(counts)")
  }

  @Test("Times and shares are read as people write them")
  func units() {
    #expect(TimeSpan(argument: "250ms")?.nanoseconds == 250_000_000)
    #expect(TimeSpan(argument: "2m")?.nanoseconds == 120_000_000_000)
    #expect(TimeSpan(argument: "5") == TimeSpan(argument: "5s"))
    #expect(TimeSpan(argument: "5 s") == nil && TimeSpan(argument: "s") == nil && TimeSpan(argument: "-1s") == nil)
    #expect(Share(argument: "0.1%")?.value == 0.001 && Share(argument: "0.5")?.value == 0.5)
    #expect(Share(argument: "2") == nil && Share(argument: "x%") == nil)
  }
}

import Foundation
import RPCSimulation
import Testing

/// Calls over a simulated network. A failure names its seed; MAINSTAY_SIMULATION_SEED runs that one alone, and
/// MAINSTAY_SIMULATION_SEEDS says how many are run.
@Suite("Simulation", .timeLimit(.minutes(10)))
struct SimulationTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seeds = environment["MAINSTAY_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 1_000

  /// Networks of which at least one must notice a planted fault.
  private static let seedsUntilReported: UInt64 = 100

  @Test("No call hangs, none is answered twice, none leaks, whatever the network does")
  func everySeed() async throws {
    let only = SimulationTests.environment["MAINSTAY_SIMULATION_SEED"].flatMap(UInt64.init)
    var calls = 0
    var failures = 0
    for seed in only.map({ $0...$0 }) ?? 1...SimulationTests.seeds where failures < 10 {
      let report = try await Simulation.run(seed: seed)
      calls += report.calls
      if !report.faults.isEmpty { failures += 1 }
      #expect(report.faults.isEmpty, "MAINSTAY_SIMULATION_SEED=\(seed): \(report.faults.joined(separator: "; "))")
    }
    #expect(calls > 0)
  }

  @Test("A planted fault is reported", arguments: Sabotage.allCases)
  func teeth(_ sabotage: Sabotage) async throws {
    for seed in 1...SimulationTests.seedsUntilReported {
      let report = try await Simulation.run(seed: seed, sabotage: sabotage)
      if !report.faults.isEmpty { return }
    }
    Issue.record("no seed up to \(SimulationTests.seedsUntilReported) reports it")
  }
}

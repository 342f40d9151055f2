import Glibc
import RPCSimulation

/// simulate CALLS [FIRST_SEED]: runs seed after seed until so many calls have ended; the last line is a summary. Exit code 1
/// at the first seed that goes wrong.
@main
struct Simulate {
  private static let callsPerSeed = 100

  static func main() async throws {
    let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
    guard let wanted = numbers.first, wanted > 0 else {
      print("usage: simulate CALLS [FIRST_SEED]")
      exit(2)
    }
    var seed = numbers.dropFirst().first ?? 1
    let first = seed
    var calls = 0
    var outcomes: [String: Int] = [:]
    while calls < wanted {
      let report = try await Simulation.run(seed: seed, calls: callsPerSeed)
      guard report.faults.isEmpty else {
        print("seed \(seed), \(callsPerSeed) calls: \(report.faults.joined(separator: "; "))")
        exit(1)
      }
      for (code, count) in report.outcomes { outcomes[code.description, default: 0] += count }
      calls += report.calls
      seed += 1
    }
    let ends = outcomes.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    print("\(calls) calls under seeds \(first) to \(seed - 1): \(ends)")
  }
}

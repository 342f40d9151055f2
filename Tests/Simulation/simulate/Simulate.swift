import Glibc
import RPCSimulation

/// simulate CALLS [FIRST_SEED]: runs seed after seed until so many calls have ended; the last line is a summary. Exit code 1
/// at the first seed that goes wrong.
@main
struct Simulate {
  private static let callsPerSeed = 20
  /// Networks that run at once, each on a thread of its own.
  private static let networksAtOnce: UInt64 = 8

  static func main() async throws {
    let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
    guard let wanted = numbers.first, wanted > 0 else {
      print("usage: simulate CALLS [FIRST_SEED]")
      exit(2)
    }
    let first = numbers.dropFirst().first ?? 1
    let seeds = first..<first + (wanted + UInt64(callsPerSeed) - 1) / UInt64(callsPerSeed)
    var calls = 0
    var outcomes: [String: Int] = [:]
    try await withThrowingTaskGroup(of: Simulation.Report.self) { group in
      var rest = seeds.makeIterator()
      func beginNext() {
        if let seed = rest.next() { group.addTask { try await Simulation.run(seed: seed, calls: callsPerSeed) } }
      }
      for _ in 0..<networksAtOnce { beginNext() }
      while let report = try await group.next() {
        guard report.faults.isEmpty else {
          print("seed \(report.seed), \(callsPerSeed) calls: \(report.faults.joined(separator: "; "))")
          exit(1)
        }
        for (code, count) in report.outcomes { outcomes[code.description, default: 0] += count }
        calls += report.calls
        beginNext()
      }
    }
    let ends = outcomes.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    print("\(calls) calls under seeds \(seeds.lowerBound) to \(seeds.upperBound - 1): \(ends)")
  }
}

import Core
import Foundation
import Storage
import StorageSQLite
import Testing

/// Loss of power at drawn moments: what was acknowledged is there, wholly and once. MAINSTAY_POWER_ROUNDS says how many rounds,
/// MAINSTAY_POWER_SEED which ones.
@Suite struct PowerLossTests {
  private static func setting(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }

  @Test(.timeLimit(.minutes(60))) func nothingAcknowledgedIsLost() async throws {
    let first = Self.setting("MAINSTAY_POWER_SEED") ?? .random(in: 0..<1_000_000_000)
    let rounds = Self.setting("MAINSTAY_POWER_ROUNDS") ?? 20
    print("MAINSTAY_POWER_SEED=\(first), \(rounds) rounds")
    var acknowledgements = 0
    for round in 0..<rounds {
      let outcome = try await PowerLossRound(seed: first + round).run()
      #expect(outcome.problems == [], "MAINSTAY_POWER_SEED=\(first + round) MAINSTAY_POWER_ROUNDS=1")
      acknowledgements += outcome.acknowledgements
    }
    print("MAINSTAY_POWER_SEED=\(first): \(rounds) rounds, \(acknowledgements) acknowledged batches")
    #expect(acknowledgements > Int(rounds))
  }

  /// The test above finds what it looks for.
  @Test(.timeLimit(.minutes(60))) func withoutSyncingMuchIsLost() async throws {
    var losses = 0
    for seed in 0..<10 as Range<UInt64> {
      let outcome = try await PowerLossRound(seed: seed, lives: 1, isUnsynced: true).run()
      if !outcome.problems.isEmpty { losses += 1 }
    }
    #expect(losses >= 5)
  }
}

import Core
import Foundation
import MainstayTesting
import Testing

/// kill -9 of services, and of the database server, at drawn moments of many concurrent writes by RPC: what was acknowledged is
/// there, once, with its events and its entries in the audit log. Rounds and seed as in `CrashTests`.
@Suite(
  .serialized, .timeLimit(.minutes(max(15, CrashDraw.rounds / 2))),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct WriteCrashTests {
  /// After so many rounds the services are stopped and their data looked at.
  private static let roundsPerCheck = 5
  /// Rounds on one database, so that a check stays short.
  private static let roundsPerFleet = 40
  private static let services = ["customer", "agent", "partner"]

  @Test func noAcknowledgedWriteIsLostOrDoneTwiceOnSQLite() async throws {
    try await inFleets("sqlite", victims: Self.services) { .sqlite }
  }

  @Test func noAcknowledgedWriteIsLostOrDoneTwiceOnPostgreSQLWhoseServerIsKilledToo() async throws {
    let server = try await PostgresServer()
    defer { server.end() }
    let victims = Self.services + [FleetRound.server, FleetRound.backend]
    var databases = 0
    try await inFleets("postgresql", victims: victims) {
      databases += 1
      if databases > 1 {
        for service in Self.services { try await server.psql("DROP SCHEMA \(service) CASCADE") }
      }
      return .postgresql(server)
    }
  }

  private func inFleets(
    _ name: String, victims: [String], _ store: () async throws -> Fleet.Store
  ) async throws {
    for first in stride(from: 0, to: CrashDraw.rounds, by: Self.roundsPerFleet) {
      let fleet = try await Fleet(Self.services, on: store())
      fleet.start()
      do {
        let last = min(first + Self.roundsPerFleet, CrashDraw.rounds)
        try await rounds(first..<last, name, victims: victims, in: fleet)
      } catch {
        Issue.record("MAINSTAY_CRASH_SEED=\(CrashDraw.seed), \(name): \(error)\n\(fleet.endOfLogs)")
        try await fleet.stop()
        return
      }
      try await fleet.stop()
    }
  }

  private func rounds(_ numbers: Range<Int>, _ name: String, victims: [String], in fleet: Fleet) async throws {
    let (channels, ledger) = (try await FleetChannels(fleet), Ledger())
    let readers = fleet.services.map { EventReader($0, channels) }
    let reading = readers.map { reader in Task { try await reader.run() } }
    defer { for task in reading { task.cancel() } }
    let check = FleetCheck(fleet: fleet, channels: channels, ledger: ledger, readers: readers)
    let driver = try await WriteDriver(channels, ledger)
    for number in numbers {
      var random = CrashDraw.generator(round: number)
      let before = ledger.content
      let story = try await FleetRound(number, victims: victims, random: &random).run(driver, on: fleet)
      let after = ledger.content
      let context: Comment = """
        MAINSTAY_CRASH_SEED=\(CrashDraw.seed), \(name) round \(number): \(story); \
        \(after.acknowledged - before.acknowledged) acknowledged, \(after.retried - before.retried) asked again
        """
      print(context.rawValue)
      fflush(nil)
      guard (number + 1) % Self.roundsPerCheck == 0 || number + 1 == numbers.upperBound else { continue }
      try await check.waitForReaders(context)
      try await check.checkFacts(context)
      try await fleet.stop()
      try await check.checkStored(context)
      if number + 1 < numbers.upperBound { fleet.start() }
    }
    for task in reading { task.cancel() }
    try await channels.close()
  }
}

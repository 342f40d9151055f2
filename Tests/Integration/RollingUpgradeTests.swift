import Core
import Foundation
import MainstayTesting
import Testing

/// Programs of two versions on one database under load, with real processes. `next-customer` is today's customer service with a
/// migration more, so that today's is what an older program will be. MAINSTAY_PREVIOUS_BIN names the folder of programs of an earlier
/// version, which is then the older one beside today's.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct RollingUpgradeTests {
  private static let previous = ProcessInfo.processInfo.environment["MAINSTAY_PREVIOUS_BIN"]
  private static let today = "mainstay-customer"
  private static let next = "next-customer"
  private static let (first, second) = (
    Fleet.Member(service: "customer", replica: 1), Fleet.Member(service: "customer", replica: 2)
  )

  /// Two replicas under load, with a subscriber.
  private struct Scene {
    let fleet: Fleet
    let channels: FleetChannels
    let ledger = Ledger()
    let reader: EventReader
    let driver: WriteDriver

    init(_ program: String, audit: Bool = true) async throws {
      let server = try await PostgresServer.shared
      let database = server.freshSchema()
      try await server.psql("CREATE DATABASE \(database)")
      fleet = try await Fleet(["customer"], replicas: 2, on: .postgresql(server, database: database), audit: audit)
      for member in fleet.replicas { fleet.use(program, for: member) }
      channels = try await FleetChannels(fleet)
      reader = EventReader("customer", channels)
      driver = try await WriteDriver(channels, ledger)
    }

    /// Until so many more writes are acknowledged by whoever is there.
    func goesOn(_ count: Int = 100) async throws {
      let goal = ledger.content.acknowledged + count
      let hasGoneOn = try await eventually(within: .seconds(90)) { ledger.content.acknowledged >= goal }
      try #require(hasGoneOn, "\(ledger.content.acknowledged) of \(goal) writes\n\(fleet.endOfLogs)")
    }

    /// The programs change while it writes; then all must be there once, in order.
    func whileWriting(_ body: () async throws -> Void) async throws {
      fleet.start()
      let stop = Stop()
      let reading = Task { try await reader.run() }
      let writing = Task { try await driver.run("w", until: stop) }
      do { try await body() } catch {
        stop.raise()
        reading.cancel()
        try await fleet.stop()
        throw error
      }
      stop.raise()
      try await writing.value
      let check = FleetCheck(fleet: fleet, channels: channels, ledger: ledger, readers: [reader])
      try await check.waitForReaders("after the upgrade")
      try await check.checkFacts("after the upgrade")
      reading.cancel()
      try await fleet.stop()
      try await check.checkStored("after the upgrade")
      try await channels.close()
    }

    /// Stops a replica in order; it comes back as another program.
    func replace(_ member: Fleet.Member, by program: String, _ environment: [String: String] = [:]) async throws {
      fleet.use(program, environment: environment, for: member)
      let before = fleet.ends(of: member).count
      try #require(await eventually { fleet.signal(SIGTERM, member) })
      try #require(await eventually { fleet.ends(of: member).count > before })
    }

    func version() async throws -> String {
      try await fleet.rows(
        "customer", "SELECT count(*) FROM schema_migration")[0][0]
    }

    /// Only the other replica answers meanwhile.
    func without(_ member: Fleet.Member, _ body: () async throws -> Void) async throws {
      fleet.signal(SIGKILL, member, hold: true)
      try await body()
      fleet.release(member)
    }
  }

  /// The older replica works on while the newer one migrates and serves, is replaced in the end; beside a schema that was expanded it
  /// is killed and starts again on the way. An earlier version may have the schema of today or one that knows no mark.
  private func roll(from older: String, to newer: String, expands: Bool) async throws {
    let scene = try await Scene(older, audit: older != Self.previous.map { "\($0)/\(Self.today)" })
    try await scene.whileWriting {
      try await scene.goesOn()
      let version = try await scene.version()
      try await scene.replace(Self.second, by: newer)
      if expands { try #require(await eventually { (try? await scene.version()) ?? version != version }) }
      try await scene.goesOn()
      try await scene.without(Self.second) {
        try await scene.goesOn()
        if expands {
          scene.fleet.signal(SIGKILL, Self.first)
          try await scene.goesOn()
        }
      }
      try await scene.without(Self.first) { try await scene.goesOn() }
      try await scene.replace(Self.first, by: newer)
      try await scene.goesOn()
    }
  }

  @Test func anOlderReplicaWorksOnAndStartsAgainBesideOneThatExpandedTheSchema() async throws {
    try await roll(from: Self.today, to: Self.next, expands: true)
  }

  @Test(.enabled(if: previous != nil, "MAINSTAY_PREVIOUS_BIN does not name an earlier version"))
  func aReplicaOfTheVersionBeforeWorksOnBesideTodays() async throws {
    let folder = try #require(Self.previous)
    try await roll(from: "\(folder)/\(Self.today)", to: Self.today, expands: false)
  }

  @Test func aContractionIsRefusedWhileOlderReplicasWorkAndThenRefusesThem() async throws {
    let contracts = ["NEXT_CUSTOMER": "contracts"]
    let scene = try await Scene(Self.today)
    try await scene.whileWriting {
      try await scene.goesOn()
      let version = try await scene.version()
      try await scene.replace(Self.second, by: Self.next, contracts)
      let isRefused = await eventually {
        scene.fleet.ends(of: Self.second).contains { $0.contains("stop all of them, then start this program") }
      }
      #expect(isRefused, "\(scene.fleet.endOfLogs)")
      #expect(try await scene.version() == version)
      try await scene.goesOn()
      // All of them stop, then the newer program starts.
      try await scene.replace(Self.first, by: Self.next, contracts)
      try #require(await eventually { (try? await scene.version()) ?? version != version })
      try await scene.goesOn()
      try await scene.replace(Self.second, by: Self.today)
      let isTurnedAway = await eventually {
        scene.fleet.ends(of: Self.second).contains { $0.contains("which this program does not know; run a newer") }
      }
      #expect(isTurnedAway, "\(scene.fleet.endOfLogs)")
      try await scene.goesOn()
    }
  }
}

import API
import Core
import Foundation
import MainstayTesting
import RPCCore
import Testing

/// Two replicas of each service on one PostgreSQL server, behind the gateway and under load: replicas are killed and started again,
/// the one that numbers events is lost or paused, the database server is killed. Rounds and seed as in `CrashTests`.
@Suite(
  .serialized, .timeLimit(.minutes(max(15, CrashDraw.rounds / 2))),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct ReplicaTests {
  private static let services = ["customer", "agent", "partner", "reporting"]
  /// Half as many as of the others: they are longer.
  private static let rounds = max(4, CrashDraw.rounds / 2)
  private static let roundsPerCheck = 10
  /// Every so many rounds the lease has to move over: by a kill, then by a pause.
  private static let roundsPerHandover = 4
  private static let jobKind = "rebuild-name-index"

  @Test func positionsComeOnceAndInOrderWhateverBecomesOfReplicas() async throws {
    let server = try await PostgresServer()
    defer { server.end() }
    let fleet = try await Fleet(Self.services, replicas: 2, on: .postgresql(server), gateway: true)
    fleet.start()
    do { try await rounds(in: fleet) } catch {
      Issue.record("MAINSTAY_CRASH_SEED=\(CrashDraw.seed), replicas: \(error)\n\(fleet.endOfLogs)")
    }
    try await fleet.stop()
  }

  private func rounds(in fleet: Fleet) async throws {
    let (channels, ledger) = (try await FleetChannels(fleet), Ledger())
    let readers = fleet.services.filter { $0 != "reporting" }.map { EventReader($0, channels) }
    let reading = readers.map { reader in Task { try await reader.run() } }
    defer { for task in reading { task.cancel() } }
    let check = FleetCheck(fleet: fleet, channels: channels, ledger: ledger, readers: readers)
    let driver = try await WriteDriver(channels, ledger)
    var jobs: [String] = []
    for number in 0..<Self.rounds {
      var random = CrashDraw.generator(round: number)
      let before = ledger.content.acknowledged
      jobs.append(try await startJob(number, channels))
      let story = try await round(number, driver, fleet, &random)
      let context: Comment = """
        MAINSTAY_CRASH_SEED=\(CrashDraw.seed), replicas round \(number): \(story); \
        \(ledger.content.acknowledged - before) acknowledged
        """
      print(context.rawValue)
      fflush(nil)
      guard (number + 1) % Self.roundsPerCheck == 0 || number + 1 == Self.rounds else { continue }
      try await checkJobs(jobs, channels, context)
      try await check.waitForReaders(context)
      try await check.checkFacts(context)
      try await checkReporting(fleet, readers, context)
      try await fleet.stop()
      try await check.checkStored(context)
      if number + 1 < Self.rounds { fleet.start() }
    }
    for task in reading { task.cancel() }
    try await channels.close()
  }

  /// One replica, drawn for the round, is killed and comes back again and again; in one round the server is; in some the lease moves.
  private func round(
    _ number: Int, _ driver: WriteDriver, _ fleet: Fleet, _ random: inout SeededGenerator
  ) async throws -> String {
    switch number % Self.roundsPerHandover {
    case 1:
      return try await handover(number, driver, fleet, isPause: number % (2 * Self.roundsPerHandover) == 1, &random)
    case 3:
      let victims = [FleetRound.server, FleetRound.backend]
      return try await FleetRound(number, victims: victims, random: &random).run(driver, on: fleet)
    default:
      let victim = fleet.replicas.randomElement(using: &random)?.description ?? "customer-1"
      return try await FleetRound(number, victims: [victim], random: &random).run(driver, on: fleet)
    }
  }

  // MARK: - The sequencer's lease

  /// Who waits for whom in the server, for the report of a failure.
  private static let sessions = """
    SELECT pid, application_name, state, wait_event, now() - xact_start, pg_blocking_pids(pid), left(query, 60)
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND xact_start IS NOT NULL
    """

  private struct Lease: Equatable {
    let holder: String
    let token: Int
  }

  private func lease(_ service: String, _ fleet: Fleet) async throws -> Lease {
    let rows = try await fleet.rows(service, "SELECT holder, fencing_token FROM event_partition WHERE partition = 0")
    let row = try #require(rows.first)
    return Lease(holder: row[0], token: try #require(Int(row[1])))
  }

  /// The replica that numbers a service's events is killed and stays away, or is paused for longer than its lease: the other one goes
  /// on. One that was paused comes back in the belief that the lease is its own.
  private func handover(
    _ number: Int, _ driver: WriteDriver, _ fleet: Fleet, isPause: Bool, _ random: inout SeededGenerator
  ) async throws -> String {
    let service = ["customer", "agent", "partner"].randomElement(using: &random) ?? "customer"
    let stop = Stop()
    async let writing: Void = driver.run("r\(number)", until: stop)
    defer { stop.raise() }
    try await Task.sleep(for: .milliseconds(.random(in: 200..<600, using: &random)))
    let before = try await lease(service, fleet)
    let holder = try #require(fleet.replicas.first { $0.description == before.holder })
    try #require(fleet.signal(isPause ? SIGSTOP : SIGKILL, holder, hold: true))
    var after = before
    let hasMoved = try await eventually(within: .seconds(60)) {
      after = try await lease(service, fleet)
      return after.holder != before.holder
    }
    let sessions = hasMoved ? [] : try await fleet.rows(service, Self.sessions)
    fleet.release(holder)
    if isPause { fleet.signal(SIGCONT, holder) }
    #expect(
      hasMoved && after.token > before.token, "\(service): the lease stays \(after); \(sessions)\n\(fleet.endOfLogs)")
    try await Task.sleep(for: .milliseconds(500))
    stop.raise()
    try await writing
    return "\(holder) \(isPause ? "paused" : "away") until \(after.holder) had its lease"
  }

  // MARK: - What goes on beside

  private func startJob(_ number: Int, _ channels: FleetChannels) async throws -> String {
    var id: String?
    let isStarted = try await eventually(within: .seconds(90)) {
      id = try? await channels.run {
        try await JobServiceClient(channel: channels["customer"]).startJob(
          StartJobRequest(kind: Self.jobKind, requestID: "job-\(number)"),
          options: channels.options("customer", timeout: .seconds(20))
        ).jobID
      }
      return id != nil
    }
    try #require(isStarted)
    return try #require(id)
  }

  /// All came to their end, whoever began them; the same request began no second one.
  private func checkJobs(_ jobs: [String], _ channels: FleetChannels, _ context: Comment) async throws {
    for job in jobs {
      var state = JobState.unspecified
      let isDone = try await eventually(within: .seconds(120)) {
        let found = try? await channels.run {
          try await JobServiceClient(channel: channels["customer"]).getJob(
            GetJobRequest(jobID: job), options: channels.options("customer", timeout: .seconds(20)))
        }
        state = found?.state ?? state
        return state == .succeeded || state == .failed
      }
      #expect(isDone && state == .succeeded, "job \(job) is \(state.rawValue); \(context)")
    }
    #expect(Set(jobs).count == jobs.count, context)
  }

  /// Its two replicas have counted each event once.
  private func checkReporting(_ fleet: Fleet, _ readers: [EventReader], _ context: Comment) async throws {
    var told = ""
    let expected = Dictionary(uniqueKeysWithValues: readers.map { ($0.service, "\($0.count)") })
    let isCaughtUp = try await eventually(within: .seconds(90)) {
      let lag = try await Program.run(
        "mainstay", ["reports", "lag", "--format", "csv"], environment: ["MAINSTAY_HOME": fleet.home.path])
      told = lag.output + lag.errors
      let rows = lag.output.split(separator: "\n").dropFirst().map {
        $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      }
      return rows.count == expected.count && rows.allSatisfy { $0[2] == "true" && $0[4] == expected[$0[0]] }
    }
    #expect(isCaughtUp, "\(told) instead of \(expected); \(context)")
  }
}

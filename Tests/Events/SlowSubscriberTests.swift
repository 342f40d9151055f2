import API
import Core
import Events
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Storage
import StorageSQLite
import Testing

/// Subscribers that do not read, with a client that we did not write.
@Suite(.timeLimit(.minutes(10))) struct SlowSubscriberTests {
  static let modules = ["grpc", "grpc_tools"]
  private static let events = 20_000

  @Test(
    "Who stops reading is cut off, and resumes without missing an event or getting one twice",
    .enabled("PyPI grpcio is not installed") { try await Python.interpreter(with: modules) != nil })
  func cutOff() async throws {
    let folder = try TemporaryFolder()
    let database = try SQLiteDatabase(path: folder.file("events.db"), clock: SystemClock())
    try await database.migrate([])
    let log = try await EventLog.open(database, random: SystemRandom())
    try await fill(database, log)
    let authority = try TestAuthority()
    let group = try EventLoopGroup(count: 1)
    let subscribers = Subscribers(clock: SystemClock(), patience: .milliseconds(500))
    let watch = group.first.spawn {
      try? await subscribers.watch { _ in try await group.first.sleep(for: .milliseconds(50)) }
    }
    let router = try InfrastructureServices.router(
      EventServiceEndpoint(log: log, subscribers: subscribers).methodBindings, health: HealthRegistry(services: []),
      access: .checked)
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: authority.issue("service", role: "service")),
      acceptor: GRPCAcceptor(router: router, logger: Logger(label: "test")), group: group)
    let caller = try authority.issue("slow", role: "auditor", hosts: [])
    let interpreter = try #require(try await Python.interpreter(with: Self.modules))
    let client = try Program.Running(
      interpreter,
      [
        "\(Python.repository)/Tests/Events/slow_subscriber.py", "\(Python.repository)/proto", caller.authorityPath,
        caller.certificateChainPath ?? "", caller.privateKeyPath ?? "", "\(server.port)", folder.file("go"),
      ])
    let isCutOff = try await eventually(within: .seconds(120)) { subscribers.figures.cutOff == 1 }
    #expect(isCutOff, "\(client.output)")
    // The stream is gone here although the client has not looked yet.
    #expect(try await eventually(within: .seconds(30)) { subscribers.figures.now == 0 })
    try folder.write("go", "")
    let result = try await client.result()
    #expect(result.code == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n").map(String.init)
    let status = try #require(lines.first { $0.hasPrefix("cut ") })
    #expect(status.hasPrefix("cut RESOURCE_EXHAUSTED") && status.contains("resume_token"), "\(status)")
    #expect(lines.filter { $0.hasPrefix("evt_") } == (1...Self.events).map(Self.id))
    watch.cancel()
    await server.shutdown(grace: .zero)
    group.stop()
    database.close()
  }

  /// More than any window holds: 20 MB.
  private func fill(_ database: SQLiteDatabase, _ log: EventLog) async throws {
    let time = Timestamp(microsecondsSinceEpoch: 1_795_000_000_000_000)
    let payload = [UInt8](repeating: 65, count: 1_000)
    for chunk in stride(from: 1, through: Self.events, by: 1_000) {
      let events = (chunk..<chunk + 1_000).map {
        OutboxEvent(
          eventID: Self.id($0), aggregateID: Self.id($0), aggregateVersion: 1, type: "test.Event", effectiveTime: time,
          recordedTime: time, actor: "tester", payload: payload)
      }
      try await database.commit(Batch(events: events), lane: .bulk)
    }
    let sequencer = Sequencer(database: database, log: log, holder: "test", clock: SystemClock())
    while case .numbered = try await sequencer.step() {}
  }

  private static func id(_ number: Int) -> String { "evt_" + String(1_000_000 + number) }
}

import Foundation
import MainstayTesting
import Testing

/// The built program against a real server.
@Suite(
  "mainstay-load", .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay-load"), "the programs are not built: make release"))
struct ProgramTests {
  private static let unary = "grpc.testing.TestService/UnaryCall"

  @Test("A closed loop makes exactly the calls that it was asked for")
  func closedLoop() async throws {
    let server = try await MeasuredServer()
    let (program, json) = try await server.load([
      Self.unary, "--calls", "1003", "--connections", "3", "--streams", "5", "--loops", "2",
    ])
    #expect(program.code == 0, "\(program.errors)")
    #expect(json["calls"] as? Int == 1_003 && json["failed"] as? Int == 0)
    #expect((json["outcomes"] as? [String: Int]) == ["OK": 1_003])
    #expect(server.seen.calls == 1_003)
    let latency = try #require(json["latency_microseconds"] as? [String: Double])
    #expect(try #require(latency["p50"]) <= #require(latency["p99"]))
    #expect(try #require(latency["p99"]) <= #require(latency["max"]))
    await server.stop()
  }

  @Test("An open loop makes the calls that fall into its time; ramp and warm-up do not count")
  func openLoop() async throws {
    let server = try await MeasuredServer()
    let (program, json) = try await server.load([
      Self.unary, "--rate", "200", "--duration", "500ms", "--ramp", "200ms", "--warm-up", "100ms", "--streams", "100",
    ])
    #expect(program.code == 0, "\(program.errors)")
    #expect(json["calls"] as? Int == 100)
    #expect(server.seen.calls == 140)
    await server.stop()
  }

  @Test("An open loop that sleeps between calls leaves the core to others")
  func sleepingLoop() async throws {
    let server = try await MeasuredServer()
    // Watching the clock would take more than a millisecond for each call.
    let (program, json) = try await server.load([
      Self.unary, "--rate", "100", "--duration", "1s", "--streams", "100", "--sleep-between-calls",
    ])
    #expect(program.code == 0, "\(program.errors)")
    #expect(json["calls"] as? Int == 100)
    #expect(try #require(json["client_cpu_microseconds_per_call"] as? Double) < 900)
    await server.stop()
  }

  @Test("Calls that found no room in time count as failed, with the time that they have waited")
  func noCoordinatedOmission() async throws {
    let server = try await MeasuredServer()
    // The server never answers and there is one slot: one call is under way at a time, all others only become due.
    let (program, json) = try await server.load([
      Self.unary, "--data", #"{"fillUsername": true}"#, "--rate", "1000", "--duration", "1s", "--deadline", "2s",
    ])
    #expect(program.code == 1 && program.errors.contains("budget"), "\(program.errors)")
    #expect(json["calls"] as? Int == 1_000)
    let outcomes = try #require(json["outcomes"] as? [String: Int])
    #expect(outcomes["UNSENT"] == 999 && outcomes["DEADLINE_EXCEEDED"] == 1, "\(outcomes)")
    let latency = try #require(json["latency_microseconds"] as? [String: Double])
    // The calls became due evenly over a second of waiting.
    #expect(try #require(latency["p50"]) > 400_000)
    await server.stop()
  }

  @Test("Failed calls are told apart, and the budget decides the exit code")
  func errorBudget() async throws {
    let server = try await MeasuredServer()
    let failing = [
      Self.unary, "--data", #"{"responseStatus": {"code": 5, "message": "gone"}}"#, "--calls", "20",
    ]
    let (refused, json) = try await server.load(failing)
    #expect(refused.code == 1 && refused.output.contains("20 NOT_FOUND: gone"), "\(refused.output)")
    #expect((json["outcomes"] as? [String: Int]) == ["NOT_FOUND": 20])
    let (allowed, _) = try await server.load(failing + ["--error-budget", "100%"])
    #expect(allowed.code == 0, "\(allowed.errors)")
    await server.stop()
  }

  @Test("A mix calls several methods with requests of their own, described by the server")
  func mixOverReflection() async throws {
    let server = try await MeasuredServer()
    let folder = try TemporaryFolder()
    let mix = try folder.write(
      "mix.yaml",
      """
      calls:
        - method: \(Self.unary)
          data: {responseSize: "{{counter}}"}
        - method: grpc.testing.TestService/EmptyCall
      """)
    let (program, json) = try await server.load([
      "--mix", mix, "--reflection", "--calls", "200", "--streams", "4", "--seed", "1", "--histogram",
      folder.file("latency.hgrm"),
    ])
    #expect(program.code == 0, "\(program.errors)")
    #expect(json["calls"] as? Int == 200)
    let sizes = server.seen.sizes
    #expect((50...150).contains(sizes.count) && Set(sizes).count == sizes.count)
    #expect(sizes.allSatisfy { (0..<200).contains($0) })
    let distribution = try String(contentsOfFile: folder.file("latency.hgrm"), encoding: .utf8)
    #expect(distribution.contains("Total count = 200"))
    await server.stop()
  }

  @Test("Ctrl-C prints what was measured so far")
  func interrupted() async throws {
    let server = try await MeasuredServer()
    let running = try Program.Running("mainstay-load", [Self.unary, "--duration", "1h"] + server.target)
    #expect(await eventually { server.seen.calls > 10 })
    running.signal(SIGINT)
    let program = try await running.result()
    #expect(program.code == 0, "\(program.errors)")
    #expect(program.output.contains("cut short") && program.output.contains(" answered a second"))
    await server.stop()
  }

  @Test("A server that is not there is a failure in one line")
  func noServer() async throws {
    let server = try await MeasuredServer()
    await server.stop()
    let (program, _) = try await server.load([Self.unary])
    #expect(program.code == 1 && program.errors.split(separator: "\n").count == 1, "\(program.errors)")
    #expect(program.errors.contains("cannot connect to 127.0.0.1:\(server.port)"))
  }

  @Test(
    "Wrong usage ends with code 2 and one line that says what to do",
    arguments: [
      [], ["a.B"], [unary, "--mix", "/none"], ["--mix", "/none"], [unary, "--data", "{\"nonsense\": 1}"],
      [unary, "--rate", "0"], [unary, "--calls", "1", "--duration", "1s"], [unary, "--connections", "0"],
      ["grpc.testing.TestService/FullDuplexCall"], [unary, "--data", "@/none"], [unary, "--colour"],
      [unary, "--error-budget", "2"], [unary, "--metadata", "x"],
    ])
  func wrongUsage(arguments: [String]) async throws {
    let server = try await MeasuredServer()
    let (program, _) = try await server.load(arguments)
    #expect(program.code == 2 && program.output.isEmpty, "\(program.output)")
    #expect(program.errors.split(separator: "\n").count == 1, "\(program.errors)")
    await server.stop()
  }
}

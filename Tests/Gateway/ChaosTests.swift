import Foundation
import MainstayTesting
import Testing

/// Harm to what is behind the gateway, and to gateways, under load by PyPI grpcio. MAINSTAY_CHAOS_SEED repeats what a failure printed,
/// MAINSTAY_CHAOS_SECONDS makes it longer.
@Suite(
  .serialized, .timeLimit(.minutes(max(15, chaosSeconds / 20))),
  .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-interop") && Program.exists("mainstay")),
  .enabled("python3 with the packages of Tests/requirements.txt is needed") {
    try await Python.interpreter(with: ["grpc", "grpc_reflection"]) != nil
  })
struct ChaosTests {
  @Test func `Every call ends honestly whatever becomes of replicas, and nothing is left of it`() async throws {
    try await run("chaos.py", "\(chaosSeconds)")
  }

  @Test func `Not one call fails while all replicas and one of two gateways are restarted`() async throws {
    try await run("rolling.py", "\(max(3, chaosSeconds / 20))")
  }

  private func run(_ script: String, _ amount: String) async throws {
    let result = try #require(
      try await Python.run(
        script: "Tests/Gateway/Peers/\(script)", arguments: [Program.folder, chaosSeed, amount],
        modules: ["grpc", "grpc_reflection"]))
    print(result.output)
    #expect(result.code == 0, "\(result.output)\n\(result.errors)")
  }
}

private let chaosSeconds = ProcessInfo.processInfo.environment["MAINSTAY_CHAOS_SECONDS"].flatMap { Int($0) } ?? 24
private let chaosSeed =
  ProcessInfo.processInfo.environment["MAINSTAY_CHAOS_SEED"] ?? "\(UInt32.random(in: .min ... .max))"

import Foundation
import MainstayTesting
import Testing

@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-load")))
struct ReplicaTests {
  @Test func `Not one call that may be sent twice fails while replicas are killed`() async throws {
    let site = try await ReplicatedSite()
    let load = try site.load("UnaryCall", seconds: 6)
    for round in 0..<4 { try await site.kill(round % 2) }
    let result = try await load.result()
    #expect(result.code == 0, "\(result.output) \(result.errors)")
    try await site.stop()
  }

  @Test func `Not one call fails while replicas are restarted one after the other`() async throws {
    let site = try await ReplicatedSite()
    let load = try site.load("UnaryCall", seconds: 6)
    for round in 0..<4 { try await site.restart(round % 2) }
    let result = try await load.result()
    #expect(result.code == 0, "\(result.output) \(result.errors)")
    try await site.stop()
  }
}

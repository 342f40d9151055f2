import Foundation
import MainstayTesting
import Testing

/// Posts of systems outside through the gateway, by curl and without a certificate.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct WebhookPostTests {
  private struct Source {
    let path: String
    let secret: String
  }

  private func create(_ system: RunningSystem, _ service: String, _ kind: String) async throws -> Source {
    let made = try await system.mainstay(["events", "sources", "create", service, "east-bank", kind])
    try #require(made.code == 0, "\(made.errors)")
    let id = try #require(made.errors.split(separator: "/").last).trimmingCharacters(in: .whitespacesAndNewlines)
    return Source(
      path: "/webhooks/\(service)/\(id)", secret: made.output.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// The answer's status and body.
  private func post(
    _ system: RunningSystem, _ source: Source, id: String, body: String, signedBy secret: String? = nil,
    headers: Bool = true, more: [String] = []
  ) async throws -> (status: String, body: String) {
    let file = system.home.file("post")
    try body.write(toFile: file, atomically: true, encoding: .utf8)
    let time = "\(Int(Date().timeIntervalSince1970))"
    let signed = try await Python.run(
      script: "Tests/Events/sign_post.py", arguments: [secret ?? source.secret, id, time, file], modules: ["hmac"])
    let signature = [
      "webhook-id: \(id)", "webhook-timestamp: \(time)", "webhook-signature: \(try #require(signed).output)",
    ]
    let answer = try await Program.run(
      "/usr/bin/curl",
      [
        "--silent", "--show-error", "--http2", "--max-time", "60", "--cacert", system.home.file("pki/ca.pem"),
        "--write-out", "\n%{http_code}", "-H", "content-type: application/json", "--data-binary", "@\(file)",
        "https://localhost:\(system.gatewayPort)\(source.path)",
      ] + (headers ? signature.flatMap { ["-H", $0] } : []) + more)
    #expect(answer.code != 28, "nothing ended it but curl's own patience")
    let lines = answer.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    return (lines.last ?? "", lines.first ?? "")
  }

  private func party(_ key: String, _ name: String) -> String {
    #"{"rows": [{"line": 1, "party": {"sourceKey": "\#(key)", "person": {"fullName": "\#(name)"}}}]}"#
  }

  @Test func aBankPostsItsCustomersThroughTheGateway() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    try await system.down()
    // Systems outside have no certificates of ours; gRPC calls need one as before.
    let path = system.home.file("config/gateway.yaml")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains("client_verification: required"))
    try text.replacing("client_verification: required", with: "client_verification: optional").write(
      toFile: path, atomically: true, encoding: .utf8)
    try #require(try await system.up().code == 0)
    do { try await check(system) } catch {
      try await system.down()
      throw error
    }
    try await system.down()
  }

  private func check(_ system: RunningSystem) async throws {
    let source = try await create(system, "customer", "parties")
    let first = try await post(system, source, id: "msg_1", body: party("1", "诸葛孔明"))
    #expect(first == ("200", #"{"created":"1"}"#))
    #expect(try await post(system, source, id: "msg_1", body: party("1", "诸葛孔明")) == first)
    let found = try await system.mainstay(["customers", "search", "孔明", "--format", "csv"]).output
    #expect(found.split(separator: "\n").count == 2, "\(found)")
    let forged = try await post(system, source, id: "msg_2", body: party("2", "司马懿"), signedBy: "whsec_AAAA")
    #expect(forged.status == "401")
    let elsewhere = Source(path: "/webhooks/nobody/whs_1", secret: source.secret)
    #expect(try await post(system, elsewhere, id: "msg_2", body: "{}").status == "404")
    let long = try await post(system, source, id: "msg_2", body: String(repeating: " ", count: 300_000))
    #expect(long.status == "413", "\(long)")
    let packed = try await post(system, source, id: "msg_2", body: "{}", more: ["-H", "content-encoding: gzip"])
    #expect(packed.status == "415")
    #expect(try await post(system, source, id: "msg_2", body: "{}", headers: false).status == "400")
    // A body that does not come holds a place only for a while; curl may take an answer amid its sending for an error.
    let slow = try await post(
      system, source, id: "msg_2", body: String(repeating: " ", count: 200_000), more: ["--limit-rate", "1k"])
    #expect(["408", "000"].contains(slow.status), "\(slow)")
    #expect(try await post(system, source, id: "msg_3", body: "nonsense").status == "202")
    let id = String(source.path.split(separator: "/")[2])
    let kept = try await system.mainstay(["events", "sources", "unapplied", "customer", id, "--format", "csv"])
    #expect(kept.output.contains("msg_3,1,8,"), "\(kept.output)")
    let vain = try await system.mainstay(["events", "sources", "apply", "customer", id])
    #expect(vain.code == 1 && vain.output.contains("0 applied, 1 left"), "\(vain.output)\(vain.errors)")
    let dropped = try await system.mainstay(["events", "sources", "apply", "customer", id, "msg_3", "--discard"])
    #expect(dropped.code == 0 && dropped.output.contains("1 dropped"), "\(dropped.output)\(dropped.errors)")
    try await checkActivities(system)
    // What a post changed is in the log by the name of its source.
    let audit = try await system.mainstay(["audit", "list", "--actor", id, "--format", "csv"])
    #expect(audit.output.contains("WebhookSourceService/ReceiveWebhook"), "\(audit.output)")
  }

  private func checkActivities(_ system: RunningSystem) async throws {
    let source = try await create(system, "agent", "activities")
    let branch = try await system.mainstay([
      "call", "mainstay.agent.v1.AgentService/CreateBranch",
      #"{"branch": {"code": "B1", "name": "广东分公司", "region": "广东省"}}"#,
    ])
    let agent = try await system.mainstay([
      "call", "mainstay.agent.v1.AgentService/CreateAgent",
      """
      {"agent": {"code": "A1", "name": "王丽华", "type": "AGENT_TYPE_OWN", "branchId": "\(try id("brn_", branch.output))",
       "joinDate": {"year": 2020, "month": 1, "day": 1}}}
      """,
    ])
    let body = """
      {"activities": [{"agentId": "\(try id("agt_", agent.output))", "kind": "ACTIVITY_KIND_CALL",
        "activityTime": "2026-01-01T00:00:00Z"}]}
      """
    let first = try await post(system, source, id: "msg_1", body: body)
    #expect(first.status == "200" && first.body.contains("act_"), "\(first)")
    #expect(try await post(system, source, id: "msg_1", body: body) == first)
  }

  private func id(_ prefix: String, _ output: String) throws -> String {
    let start = try #require(output.range(of: "\"\(prefix)")?.upperBound, "\(output)")
    return prefix + output[start...].prefix { $0 != "\"" }
  }
}

import MainstayTesting
import Testing

/// mainstay partners and products, the partner service behind the gateway, and its products' copies in the customer service,
/// with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct PartnerCommandTests {
  private func sell(_ system: RunningSystem, _ key: String) async throws -> Program.Result {
    let policy = """
      {"policy": {"source": "core", "sourceKey": "\(key)", "productCode": "WL-1", "channel": "CHANNEL_ONLINE",
        "state": "POLICY_STATE_IN_FORCE", "issueDate": {"year": 2026, "month": 6, "day": 1}}, "validateOnly": true}
      """
    return try await system.mainstay(["call", "mainstay.customer.v1.PolicyService/CreatePolicy", policy])
  }

  @Test func partnersAreRecordedAndListed() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let created = try await system.mainstay([
      "partners", "create", "BANK-1", "--name", "First Bank", "--kind", "bank", "--from", "2026-01-01", "--uscc",
      "91 110000 600037341l", "--format", "csv",
    ])
    #expect(created.output.contains(",BANK-1,First Bank,BANK,91110000600037341L,2026-01-01,"), "\(created.errors)")
    let id = try #require(created.output.split(separator: "\n").last?.split(separator: ",").first)
    let listed = try await system.mainstay(["partners", "list", "--kind", "bank", "--format", "csv"])
    #expect(listed.output == created.output, "\(listed.errors)")
    let others = try await system.mainstay(["partners", "list", "--kind", "insurer", "--format", "csv"])
    #expect(others.output.split(separator: "\n").count == 1)
    let got = try await system.mainstay(["partners", "get", String(id), "--format", "json"])
    #expect(got.output.contains("\"contractFrom\""), "\(got.errors)")
    let again = try await system.mainstay(["partners", "create", "BANK-1", "--name", "x", "--kind", "bank"])
    #expect(again.code == 1 && again.errors.hasPrefix("ALREADY_EXISTS: "), "\(again.errors)")
    let wrong = try await system.mainstay(["partners", "list", "--kind", "x"])
    #expect(wrong.code == 2 && wrong.errors.contains("--kind x"), "\(wrong.errors)")
    let day = try await system.mainstay(["partners", "create", "B", "--name", "x", "--kind", "bank", "--from", "x"])
    #expect(day.code == 2 && day.errors.contains("--from"), "\(day.errors)")
    try await system.down()
  }

  @Test func aWithdrawnProductIsNoLongerSoldByTheCustomerService() async throws {
    let system = try RunningSystem()
    try #require(try await system.up().code == 0)
    let created = try await system.mainstay([
      "products", "create", "WL-1", "--name", "Whole life", "--line", "whole-life", "--from", "2026-01-01", "--sale",
      "online:2026-01-01", "--sale", "group:2026-01-01:2026-12-31", "--format", "csv",
    ])
    #expect(
      created.output.contains(",WL-1,Whole life,WHOLE_LIFE,ON_SALE,1,ONLINE:2026-01-01: GROUP:2026-01-01:2026-12-31"),
      "\(created.errors)")
    let listed = try await system.mainstay(["products", "list", "--channel", "online", "--format", "csv"])
    #expect(listed.output == created.output, "\(listed.errors)")
    #expect(try await system.mainstay(["products", "get", "WL-1"]).output == created.output)
    let sold = try await sell(system, "K1")
    #expect(sold.code == 0, "\(sold.errors)")
    let withdrawn = try await system.mainstay(["products", "withdraw", "WL-1", "--reason", "rates", "--format", "csv"])
    #expect(withdrawn.output.contains(",WITHDRAWN,"), "\(withdrawn.errors)")
    let start = ContinuousClock.now
    #expect(try await eventually { try await sell(system, "K1").code != 0 })
    print("from the withdrawal to the refusal of a sale: \(ContinuousClock.now - start)")
    let refused = try await sell(system, "K1")
    #expect(refused.errors.hasPrefix("FAILED_PRECONDITION: product WL-1 is withdrawn"), "\(refused.errors)")
    let again = try await system.mainstay(["products", "withdraw", "WL-1", "--reason", "rates"])
    #expect(again.code == 1 && again.errors.hasPrefix("FAILED_PRECONDITION: "), "\(again.errors)")
    let wrong = try await system.mainstay([
      "products", "create", "X", "--name", "x", "--line", "medical", "--sale", "online",
    ])
    #expect(wrong.code == 2 && wrong.errors.contains("--sale online"), "\(wrong.errors)")
    try await system.down()
  }
}

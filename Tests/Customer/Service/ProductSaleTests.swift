import API
import MainstayTesting
import ProductCopies
import Protobuf
import RPCCore
import Testing

@Suite struct ProductSaleTests {
  /// A service that knows of a product WL, sold in bank branches in January 2026.
  private func service(_ state: ProductState = .onSale) async throws -> TestService {
    let service = try await TestService()
    let january = SaleWindow(
      channel: .bancassurance, from: CalendarDate(year: 2026, month: 1, day: 1),
      until: CalendarDate(year: 2026, month: 1, day: 31))
    let product = Product(
      code: "WL", versions: [ProductVersion(version: 1, from: january.from)], saleWindows: [january], state: state)
    let event = Event(
      type: ProductChanged.fullName, aggregateVersion: 1,
      payload: GoogleAny(typeURL: "", value: try ProductChanged(product: product).serialized()))
    try await ProductCopies(database: service.database).apply(SubscribeResponse(events: [event], resumeToken: "1"))
    return service
  }

  private func policy(_ key: String, _ channel: API.Channel, day: Int32 = 31, product: String = "WL") -> Policy {
    var policy = CustomerServiceTests.policy(key, product: product)
    policy.channel = channel
    policy.issueDate = CalendarDate(year: 2026, month: day == 31 ? 1 : 2, day: day)
    return policy
  }

  @Test func aKnownProductIsSoldWithinItsWindowsOnly() async throws {
    let service = try await service()
    _ = try await service.create(policy("P1", .bancassurance))
    _ = try await service.create(policy("P2", .unspecified))
    let online = await failure { try await service.create(policy("P3", .online)) }
    #expect(online?.code == .failedPrecondition)
    #expect(online?.message == "product WL is not sold through ONLINE on 2026-01-31, the issue_date")
    let later = await failure { try await service.create(policy("P4", .bancassurance, day: 1)) }
    #expect(later?.code == .failedPrecondition)
    let validated = await failure { try await service.create(policy("P5", .online), validateOnly: true) }
    #expect(validated?.code == .failedPrecondition)
    #expect(try await service.number("SELECT count(*) FROM policy") == 2)
  }

  @Test func aWithdrawnProductIsNotSold() async throws {
    let service = try await service(.withdrawn)
    let refused = await failure { try await service.create(policy("P1", .bancassurance)) }
    #expect(refused?.code == .failedPrecondition)
    #expect(refused?.message == "product WL is withdrawn: it is not sold any more")
  }

  @Test func whatOtherSystemsTellOfIsNotChecked() async throws {
    let service = try await service(.withdrawn)
    _ = try await service.create(policy("P1", .online, product: "UNKNOWN"))
    let reply = try await service.importPolicies("core", [policy("P2", .online)])
    #expect(reply.rejected.isEmpty)
    #expect(try await service.number("SELECT count(*) FROM policy") == 2)
  }
}

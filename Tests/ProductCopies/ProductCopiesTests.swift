import API
import Core
import MainstayTesting
import ProductCopies
import Protobuf
import RPCCore
import Storage
import Testing

@Suite struct ProductCopiesTests {
  private let database: any Database
  private let copies: ProductCopies
  private let folder: TemporaryFolder

  init() async throws {
    folder = try TemporaryFolder()
    database = try await TestDatabase.open(in: folder, "own.db")
    try await database.migrate(ProductCopies.migrations)
    copies = ProductCopies(database: database)
  }

  private func event(_ version: Int64, _ product: Product) throws -> Event {
    let changed = try ProductChanged(product: product).serialized()
    return Event(
      eventID: "evt_\(version)", type: ProductChanged.fullName, aggregateID: "prd_\(product.code)",
      aggregateVersion: version, payload: GoogleAny(typeURL: "", value: changed))
  }

  private func apply(_ token: String, _ events: [Event], caughtUp: Bool = true) async throws {
    _ = try await copies.apply(SubscribeResponse(events: events, resumeToken: token, caughtUp: caughtUp))
  }

  private func sale(_ day: String, _ channel: Core.SaleChannel? = .online) async throws -> ProductCopies.Sale {
    try await copies.sale(of: "WL", through: channel, on: try #require(CivilDate(day)))
  }

  @Test func aProductIsSoldWithinItsWindowsUntilItIsWithdrawn() async throws {
    #expect(try await sale("2026-06-30") == .unknown)
    try await apply("1", [event(1, product("WL"))])
    #expect(try await copies.state(of: "WL") == .onSale)
    #expect(try await sale("2026-12-31") == .allowed)
    #expect(try await sale("2026-12-31", nil) == .allowed)
    #expect(try await sale("2027-01-01") == .outsideWindows)
    #expect(try await sale("2027-01-01", nil) == .outsideWindows)
    #expect(try await sale("2026-12-31", .group) == .outsideWindows)
    try await apply("2", [event(2, product("WL", state: .withdrawn))])
    #expect(try await sale("2026-12-31") == .withdrawn)
  }

  @Test func anEventThatComesTwiceOrLateHasNoEffect() async throws {
    let first = try event(1, product("WL"))
    let second = try event(2, product("WL", state: .withdrawn))
    try await apply("2", [first, second])
    let rows = try await database.query(Statement("SELECT code, version, payload FROM product_copy"), access: .scan)
    for events in [[second], [first], [second, first], [first, second]] { try await apply("2", events) }
    #expect(try await copies.state(of: "WL") == .withdrawn)
    let after = try await database.query(Statement("SELECT code, version, payload FROM product_copy"), access: .scan)
    #expect(try after.map { try $0.blob(2) } == rows.map { try $0.blob(2) } && after.count == 1)
    #expect(try await copies.resumeToken() == "2")
  }

  @Test func whatCannotBeReadIsKeptAndTheRestCounts() async throws {
    let nothing = Event(eventID: "evt_8", type: ProductChanged.fullName, aggregateID: "prd_1", aggregateVersion: 2)
    var garbage = nothing
    (garbage.eventID, garbage.payload) = ("evt_9", GoogleAny(typeURL: "", value: [0xFF]))
    let page = SubscribeResponse(
      events: [nothing, garbage, try event(1, product("WL"))], resumeToken: "3", caughtUp: true)
    #expect(try await copies.apply(page).map(\.eventID) == ["evt_8", "evt_9"])
    #expect(try await copies.state(of: "WL") == .onSale)
    #expect(try await copies.resumeToken() == "3")
    #expect(try await copies.status().unreadableEvents == 2)
    let row = try await database.row(Statement("SELECT event FROM product_copy_unreadable ORDER BY event_id"))
    #expect(try Event(serialized: try #require(try row?.blob(0))) == nothing)
    // Told again, it is still one.
    _ = try await copies.apply(page)
    #expect(try await copies.status().unreadableEvents == 2)
  }

  @Test func copiesAreListedByCodePageByPage() async throws {
    for (version, code) in ["C", "A", "B"].enumerated() {
      try await apply("\(version)", [event(1, product(code, state: code == "B" ? .withdrawn : .onSale))])
    }
    let all = try await copies.copies(after: "", limit: 10)
    #expect(all.map(\.code) == ["A", "B", "C"] && all.map(\.version) == [1, 1, 1])
    #expect(all.map(\.state) == [.onSale, .withdrawn, .onSale])
    #expect(try await copies.copies(after: "A", limit: 1).map(\.code) == ["B"])
    #expect(try await copies.copy(of: "B")?.name == "Product B")
    #expect(try await copies.copy(of: "D") == nil)
    let status = try await copies.status()
    #expect((status.connected, status.caughtUp, status.resumeToken) == (false, false, "2"))
  }

  @Test func eventsAndValuesOfANewerKindDoNoHarm() async throws {
    var newer = product("WL", state: ProductState(rawValue: 9))
    newer.saleWindows.append(SaleWindow(channel: API.SaleChannel(rawValue: 99), from: newer.versions[0].from))
    try await apply("2", [Event(eventID: "evt_0", type: "mainstay.partner.v1.Newer"), event(1, newer)])
    #expect(try await sale("2026-06-30") == .withdrawn)
    #expect(try await copies.resumeToken() == "2")
  }

  @Test func afterANewBeginningCopiesStandUntilTheyAreToldAnew() async throws {
    try await apply("9", [event(7, product("WL", state: .withdrawn)), event(3, product("GONE"))])
    try await copies.startOver()
    #expect(try await copies.resumeToken() == "")
    #expect(try await copies.state(of: "WL") == .withdrawn)
    // The restored log has fewer versions than the lost one.
    try await apply("1", [event(1, product("WL"))], caughtUp: false)
    #expect(try await copies.state(of: "WL") == .onSale)
    #expect(try await copies.state(of: "GONE") == .onSale)
    try await apply("2", [])
    #expect(try await copies.state(of: "GONE") == .unknown)
  }
}

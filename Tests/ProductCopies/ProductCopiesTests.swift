import API
import Core
import MainstayTesting
import ProductCopies
import Protobuf
import RPCCore
import Storage
import StorageSQLite
import Testing

@Suite struct ProductCopiesTests {
  private let database: SQLiteDatabase
  private let copies: ProductCopies
  private let folder: TemporaryFolder

  init() async throws {
    folder = try TemporaryFolder()
    database = try SQLiteDatabase(path: folder.file("own.db"), clock: SystemClock())
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
    try await copies.apply(SubscribeResponse(events: events, resumeToken: token, caughtUp: caughtUp))
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

  @Test func thePlaceMovesTogetherWithTheCopies() async throws {
    #expect(try await copies.resumeToken() == "")
    let damaged = Event(eventID: "evt_1", type: ProductChanged.fullName, aggregateVersion: 2)
    #expect(await failure { try await apply("2", [event(1, product("WL")), damaged]) }?.code == .dataLoss)
    #expect(try await copies.resumeToken() == "")
    #expect(try await copies.state(of: "WL") == .unknown)
    try await apply("1", [event(1, product("WL"))])
    #expect(try await copies.resumeToken() == "1")
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

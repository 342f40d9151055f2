import API
import Core
import MainstayTesting
import PartnerService
import Protobuf
import RPCCore
import Storage
import Testing

typealias TestService = InProcessService<PartnerServiceApplication>

@Suite struct PartnerServiceTests {
  private func day(_ year: Int32, _ month: Int32, _ day: Int32) -> CalendarDate {
    CalendarDate(year: year, month: month, day: day)
  }

  private func partner(_ code: String, _ kind: PartnerKind = .intermediary) -> Partner {
    Partner(code: code, name: "Partner \(code)", kind: kind, contractFrom: day(2026, 1, 1))
  }

  private func product(_ code: String) -> Product {
    Product(
      code: code, name: "Product \(code)", line: .wholeLife, versions: [ProductVersion(from: day(2000, 1, 1))],
      saleWindows: [SaleWindow(channel: .online, from: day(2000, 1, 1))])
  }

  private func create(_ service: TestService, _ partner: Partner, requestID: String = "") async throws -> Partner {
    try await service.unary(
      PartnerServiceMethods.createPartner, CreatePartnerRequest(partner: partner, requestID: requestID))
  }

  private func create(_ service: TestService, _ product: Product, requestID: String = "") async throws -> Product {
    try await service.unary(
      ProductServiceMethods.createProduct, CreateProductRequest(product: product, requestID: requestID))
  }

  private func withdraw(_ service: TestService, _ product: Product, etag: String = "") async throws -> Product {
    try await service.unary(
      ProductServiceMethods.withdrawProduct,
      WithdrawProductRequest(productID: product.productID, reason: "rates", etag: etag))
  }

  private func error(_ body: () async throws -> some Sendable) async -> RPCError? {
    do {
      _ = try await body()
      return nil
    } catch { return RPCError(converting: error) }
  }

  @Test func aPartnerIsReadBackAndItsCodeIsItsOwn() async throws {
    let service = try await TestService()
    let created = try await create(service, partner("B-1"))
    #expect(created.partnerID.hasPrefix("prt_") && created.etag == "v1")
    let read: Partner = try await service.unary(
      PartnerServiceMethods.getPartner, GetPartnerRequest(partnerID: created.partnerID))
    #expect(read == created)
    #expect(await error { try await create(service, partner("B-1")) }?.code == .alreadyExists)
    let faults = await error { try await create(service, Partner(code: "b")) }
    #expect(
      faults?.details.flatMap { StatusDetails.violations($0) }.map(\.field)
        == ["partner.kind", "partner.contract_from", "partner.code", "partner.name"])
  }

  @Test func aRepeatedRequestGetsTheFirstAnswer() async throws {
    let service = try await TestService()
    let first = try await create(service, partner("B-1"), requestID: "r")
    #expect(try await create(service, partner("B-1"), requestID: "r") == first)
    #expect(await error { try await create(service, partner("B-2"), requestID: "r") }?.code == .invalidArgument)
    #expect(try await service.outbox().count == 1)
  }

  @Test func allPartnersOfAKindAreListedPageByPage() async throws {
    let service = try await TestService()
    for number in 0..<23 { _ = try await create(service, partner("B-\(number)", number % 2 == 0 ? .bank : .insurer)) }
    var codes: [String] = []
    var token = ""
    repeat {
      let page: ListPartnersResponse = try await service.unary(
        PartnerServiceMethods.listPartners, ListPartnersRequest(kind: .bank, pageSize: 5, pageToken: token))
      #expect(page.partners.count <= 5)
      codes += page.partners.map(\.code)
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(codes == stride(from: 0, to: 23, by: 2).map { "B-\($0)" })
  }

  @Test func aPageOfLargeProductsEndsEarly() async throws {
    let service = try await TestService()
    var product = product("")
    product.versions[0].description = String(repeating: "条", count: 1_024)
    for number in 0..<3 {
      product.code = "WL-\(number)"
      let created = try await create(service, product)
      var stored = created
      stored.versions = Array(repeating: created.versions[0], count: 600)
      try await service.database.commit(
        Batch([
          Statement(
            "UPDATE product SET payload = ? WHERE code = ?", [.blob(try stored.serialized()), .text(stored.code)])
        ]),
        lane: .interactive)
    }
    var pages: [[String]] = []
    var token = ""
    repeat {
      let page: ListProductsResponse = try await service.unary(
        ProductServiceMethods.listProducts, ListProductsRequest(pageToken: token))
      pages.append(page.products.map(\.code))
      token = page.nextPageToken
    } while !token.isEmpty
    #expect(pages == [["WL-0"], ["WL-1"], ["WL-2"]])
  }

  @Test func aFilterThatFindsLittleReadsOn() async throws {
    let service = try await TestService()
    for number in 0..<600 { _ = try await create(service, partner("B-\(number)", number == 599 ? .bank : .insurer)) }
    let page: ListPartnersResponse = try await service.unary(
      PartnerServiceMethods.listPartners, ListPartnersRequest(kind: .bank, pageSize: 1))
    #expect(page.partners.map(\.code) == ["B-599"] && page.nextPageToken.isEmpty)
  }

  @Test func aWithdrawalIsFinalAndAnEvent() async throws {
    let service = try await TestService()
    let created = try await create(service, product("WL-1"))
    #expect(created.state == .onSale && created.versions.first?.version == 1)
    #expect(await error { try await withdraw(service, created, etag: "v9") }?.code == .aborted)
    let withdrawn = try await withdraw(service, created, etag: created.etag)
    #expect(withdrawn.state == .withdrawn && withdrawn.withdrawReason == "rates" && withdrawn.withdrawTime != nil)
    #expect(await error { try await withdraw(service, created) }?.code == .failedPrecondition)
    let events = try await service.outbox()
    #expect(events.map(\.type) == Array(repeating: ProductChanged.fullName, count: 2))
    let last = try ProductChanged(serialized: try #require(events.last).payload)
    #expect(last.product == withdrawn && last.previousState == .onSale)
  }

  @Test func onlyWhatMayBeSoldTodayIsListedForAChannel() async throws {
    let service = try await TestService()
    let first = try await create(service, product("WL-1"))
    _ = try await create(service, product("WL-2"))
    _ = try await withdraw(service, first)
    func codes(_ channel: API.SaleChannel) async throws -> [String] {
      let list: ListProductsResponse = try await service.unary(
        ProductServiceMethods.listProducts, ListProductsRequest(onSaleChannel: channel))
      return list.products.map(\.code)
    }
    #expect(try await codes(.online) == ["WL-2"])
    #expect(try await codes(.group) == [])
    #expect(try await codes(.unspecified) == ["WL-1", "WL-2"])
  }

  @Test func versionsFollowEachOtherAndAnInsurerMustBeOne() async throws {
    let service = try await TestService()
    let created = try await create(service, product("WL-1"))
    func add(_ from: CalendarDate) async throws -> Product {
      try await service.unary(
        ProductServiceMethods.addProductVersion,
        AddProductVersionRequest(productID: created.productID, version: ProductVersion(from: from)))
    }
    #expect(try await add(day(2026, 5, 1)).versions.map(\.version) == [1, 2])
    #expect(await error { try await add(day(2026, 5, 1)) }?.fields == ["version.from"])
    let bank = try await create(service, partner("BANK", .bank))
    var foreign = product("WL-3")
    foreign.insurerPartnerID = bank.partnerID
    #expect(await error { try await create(service, foreign) }?.code == .invalidArgument)
  }
}

import API
import AgentService
import MainstayTesting
import ProductCopies
import RPCCore
import Testing

/// ProductCopyService of a service that has followed nobody yet.
@Suite struct ProductCopyCallTests {
  private func refusal(_ code: String, of service: TestService) async -> RPCError? {
    do {
      let _: GetProductCopyResponse = try await service.unary(
        ProductCopyServiceMethods.getProductCopy, GetProductCopyRequest(code: code))
      return nil
    } catch { return error as? RPCError }
  }

  @Test func whatIsNotKnownIsNotFound() async throws {
    let service = try await TestService()
    #expect(await refusal("WL-1", of: service)?.code == .notFound)
    #expect(await refusal("", of: service)?.code == .invalidArgument)
    let list: ListProductCopiesResponse = try await service.unary(
      ProductCopyServiceMethods.listProductCopies, ListProductCopiesRequest())
    #expect(list.products.isEmpty && list.nextPageToken.isEmpty)
    #expect(list.status?.connected == false && list.status?.caughtUp == false)
  }

  @Test func copiesComePageByPage() async throws {
    let service = try await TestService()
    let events = try ["A", "B", "C"].map { code in
      Event(
        eventID: "evt_\(code)", type: ProductChanged.fullName, aggregateID: "prd_\(code)", aggregateVersion: 1,
        payload: GoogleAny(
          typeURL: "", value: try ProductChanged(product: Product(code: code, name: code)).serialized()))
    }
    let page = SubscribeResponse(events: events, resumeToken: "1", caughtUp: true)
    #expect(try await service.application.products.apply(page).isEmpty)
    var request = ListProductCopiesRequest(pageSize: 2)
    var codes: [[String]] = []
    repeat {
      let list: ListProductCopiesResponse = try await service.unary(
        ProductCopyServiceMethods.listProductCopies, request)
      codes.append(list.products.map(\.code))
      request.pageToken = list.nextPageToken
    } while !request.pageToken.isEmpty
    #expect(codes == [["A", "B"], ["C"]])
  }
}

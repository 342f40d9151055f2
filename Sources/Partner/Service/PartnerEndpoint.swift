import API
import Core
import PartnerDomain
import RPCCore
import UseCases

/// mainstay.partner.v1.PartnerService.
struct PartnerEndpoint: PartnerServiceHandler {
  let catalogue: Catalogue<Partner>

  func createPartner(_ request: CreatePartnerRequest, _ context: ServerContext) async throws -> Partner {
    var partner = request.partner ?? Partner()
    (partner.partnerID, partner.etag, partner.createTime, partner.updateTime) = ("", "", nil, nil)
    let facts = try InvalidRecord.inside("partner") {
      var faults = ViolationList()
      let facts = PartnerFacts(partner, faults: &faults)
      facts.validate(into: &faults)
      try faults.throwIfAny()
      return facts
    }
    partner.uscc = CompanyCode.canonical(partner.uscc) ?? ""
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: CreatePartnerRequest(partner: partner), context: context)
    return try await catalogue.create(
      partner, effective: facts.contractFrom, identity: identity, validateOnly: request.validateOnly, context)
  }

  func getPartner(_ request: GetPartnerRequest, _ context: ServerContext) async throws -> Partner {
    try await catalogue.record(request.partnerID, field: "partner_id").message
  }

  func listPartners(_ request: ListPartnersRequest, _ context: ServerContext) async throws -> ListPartnersResponse {
    let kind = request.kind
    let (partners, token) = try await catalogue.page(
      size: request.pageSize, token: request.pageToken, query: ["partners", "\(kind.rawValue)"]
    ) { kind == .unspecified || $0.kind == kind }
    return ListPartnersResponse(partners: partners, nextPageToken: token)
  }
}

extension Catalogue {
  /// One page of those that are wanted. Reads on until the page is full, so that a filter gives no empty pages.
  func page(
    size: Int32, token: String, query: [String], _ isWanted: (Content) throws -> Bool
  ) async throws -> (items: [Content], nextPageToken: String) {
    let page = try PageRequest(size: size, token: token, standard: 50, maximum: 1_000, query: query)
    var place = try page.textPlace()
    var found: [CatalogueRecord<Content>] = []
    while found.count <= page.size {
      let records = try await records(after: place, limit: page.size + 1)
      found += try records.filter { try isWanted($0.content) }
      guard records.count > page.size, let last = records.last else { break }
      place = last.id.description
    }
    let cut = page.cut(found) { _ in 1_024 }
    return (
      cut.items.map(\.message), cut.hasMore ? page.token(after: cut.items.last?.id.description ?? "") : ""
    )
  }
}

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
  /// Records that are read at once.
  private static var chunk: Int { 256 }
  /// Most records that are looked at for one page; then it ends early, perhaps empty, with a token to go on.
  private static var maximumExamined: Int { 10_000 }

  /// One page of those that are wanted. Reads on until the page is full, so that a filter does not give many small pages.
  func page(
    size: Int32, token: String, query: [String], _ isWanted: (Content) throws -> Bool
  ) async throws -> (items: [Content], nextPageToken: String) {
    let page = try PageRequest(size: size, token: token, standard: 50, maximum: 1_000, query: query)
    var place = try page.textPlace()
    var found: [StoredRecord<Content>] = []
    var examined = 0
    var isExhausted = false
    while found.count <= page.size, !isExhausted, examined < Self.maximumExamined {
      let records = try await records(after: place, limit: Self.chunk)
      found += try records.filter { try isWanted($0.content) }
      examined += records.count
      isExhausted = records.count < Self.chunk
      if let last = records.last { place = last.id.description }
    }
    let cut = page.cut(found) { $0.byteCount }
    if cut.hasMore, let last = cut.items.last { place = last.id.description }
    return (cut.items.map(\.message), cut.hasMore || !isExhausted ? page.token(after: place) : "")
  }
}

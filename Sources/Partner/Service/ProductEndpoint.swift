import API
import Core
import PartnerDomain
import RPCCore
import UseCases

/// mainstay.partner.v1.ProductService.
struct ProductEndpoint: ProductServiceHandler {
  let catalogue: Catalogue<Product>
  let partners: Catalogue<Partner>

  func createProduct(_ request: CreateProductRequest, _ context: ServerContext) async throws -> Product {
    var product = request.product ?? Product()
    (product.productID, product.etag, product.createTime, product.updateTime) = ("", "", nil, nil)
    (product.state, product.withdrawTime, product.withdrawReason) = (.onSale, nil, "")
    let facts = try InvalidRecord.inside("product") {
      var faults = ViolationList()
      let facts = ProductFacts(product, faults: &faults)
      facts.validate(into: &faults)
      if product.versions.count > 1 { faults.add("versions", "must be one; add the others by AddProductVersion") }
      try faults.throwIfAny()
      return facts
    }
    product.versions[0].version = 1
    let identity =
      request.validateOnly
      ? nil : try RequestIdentity(request.requestID, content: CreateProductRequest(product: product), context: context)
    if !product.insurerPartnerID.isEmpty {
      let insurer = try await partners.record(product.insurerPartnerID, field: "product.insurer_partner_id")
      guard insurer.content.kind == .insurer else {
        throw RPCError.invalid("product.insurer_partner_id", "must be a partner of kind INSURER")
      }
    }
    return try await catalogue.create(
      product, effective: facts.versionDays[0], identity: identity, validateOnly: request.validateOnly, context)
  }

  func getProduct(_ request: GetProductRequest, _ context: ServerContext) async throws -> Product {
    if !request.productID.isEmpty {
      return try await catalogue.record(request.productID, field: "product_id").message
    }
    if request.code.isEmpty { throw RPCError.invalid("product_id", "is empty; give it or the code") }
    guard let record = try await catalogue.record(code: request.code) else {
      throw RPCError(.notFound, "no product with this code")
    }
    return record.message
  }

  func listProducts(_ request: ListProductsRequest, _ context: ServerContext) async throws -> ListProductsResponse {
    let channel = Core.SaleChannel(rawValue: Int(request.onSaleChannel.rawValue))
    if channel == nil, request.onSaleChannel != .unspecified {
      throw RPCError.invalid("on_sale_channel", "is not known")
    }
    let today = CivilDate.inShanghai(at: catalogue.environment.clock.now())
    let (products, token) = try await catalogue.page(
      size: request.pageSize, token: request.pageToken, query: ["products", "\(request.onSaleChannel.rawValue)"]
    ) { product in
      guard let channel else { return true }
      return try ProductFacts(stored: product).mayBeSold(through: channel, on: today)
    }
    return ListProductsResponse(products: products, nextPageToken: token)
  }

  func addProductVersion(_ request: AddProductVersionRequest, _ context: ServerContext) async throws -> Product {
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    guard var version = request.version else { throw RPCError.invalid("version", "is required") }
    return try await change(request.productID, request.etag, identity, context) { product, _ in
      version.version = (product.versions.last?.version ?? 0) + 1
      var product = product
      product.versions.append(version)
      try ProductFacts.checkNewest(in: product)
      return product
    }
  }

  func setSaleWindows(_ request: SetSaleWindowsRequest, _ context: ServerContext) async throws -> Product {
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    return try await change(request.productID, request.etag, identity, context) { product, _ in
      var product = product
      product.saleWindows = request.saleWindows
      return product
    }
  }

  func withdrawProduct(_ request: WithdrawProductRequest, _ context: ServerContext) async throws -> Product {
    var faults = ViolationList()
    faults.check(request.reason, length: 1...256, "reason")
    try faults.throwIfAny()
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    return try await change(request.productID, request.etag, identity, context) { product, recording in
      var product = product
      product.state = .withdrawn
      product.withdrawTime = GoogleTimestamp(recording.time)
      product.withdrawReason = request.reason
      return product
    }
  }

  /// Changes a product that is on sale to another that keeps the rules.
  private func change(
    _ productID: String, _ etag: String, _ identity: RequestIdentity?, _ context: ServerContext,
    _ body: (Product, Recording) throws -> Product
  ) async throws -> Product {
    try await catalogue.change(productID, field: "product_id", etag: etag, identity: identity, context) {
      product, recording in
      try ProductFacts(stored: product).requireOnSale()
      let changed = try body(product, recording)
      var faults = ViolationList()
      ProductFacts(changed, faults: &faults).validate(into: &faults)
      try faults.throwIfAny()
      return changed
    }
  }
}

import API
import Core
import EventFollowing
import RPCCore
import Storage
import UseCases

/// What a service knows of the partner service's products, however it keeps it.
public protocol ProductKnowledge: Sendable {
  /// The product with this code; nil if it is not known.
  func copy(of code: String) async throws -> ProductCopy?
  /// At most so many in order of their codes, behind a code.
  func copies(after code: String, limit: Int) async throws -> [ProductCopy]
  /// How far the partner service was followed.
  func status() async throws -> ProductCopyStatus
}

/// mainstay.platform.v1.ProductCopyService: how far a withdrawal has come. Every service that follows the partner service has one.
public struct ProductCopyEndpoint<Knowledge: ProductKnowledge>: ProductCopyServiceHandler {
  private let knowledge: Knowledge

  /// Serves what a service knows.
  public init(_ knowledge: Knowledge) { self.knowledge = knowledge }

  /// GetProductCopy.
  public func getProductCopy(
    _ request: GetProductCopyRequest, _ context: ServerContext
  ) async throws -> GetProductCopyResponse {
    if request.code.isEmpty { throw RPCError.invalid("code", "is required") }
    // The place before what lies there: the copy is at least as new as the status says.
    let status = try await knowledge.status()
    guard let copy = try await knowledge.copy(of: request.code) else {
      throw RPCError(.notFound, "no product with the code \(request.code) is known here")
    }
    return GetProductCopyResponse(product: copy, status: status)
  }

  /// ListProductCopies.
  public func listProductCopies(
    _ request: ListProductCopiesRequest, _ context: ServerContext
  ) async throws -> ListProductCopiesResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000, query: ["product copies"])
    let status = try await knowledge.status()
    let copies = try await knowledge.copies(after: try page.textPlace(), limit: page.size + 1)
    let cut = page.cut(copies) { $0.name.utf8.count + $0.code.utf8.count }
    return ListProductCopiesResponse(
      products: cut.items, nextPageToken: cut.hasMore ? page.token(after: cut.items.last?.code ?? "") : "",
      status: status)
  }
}

extension ProductCopyStatus {
  /// How far a follower is; not connected without one.
  public init(_ follower: EventFollower.Status?, unreadable: Int64, resumeToken: String) {
    self.init(
      connected: follower?.isConnected ?? false, caughtUp: follower?.isCaughtUp ?? false,
      caughtUpTime: follower?.caughtUpTime.map { GoogleTimestamp($0) }, unreadableEvents: unreadable,
      resumeToken: resumeToken)
  }
}

extension ProductCopies: ProductKnowledge {
  /// ProductCopyService over the copies.
  public var methodBindings: [MethodBinding] { ProductCopyEndpoint(self).methodBindings }

  /// The copy of the product with this code.
  public func copy(of code: String) async throws -> ProductCopy? {
    try await database.row(Statement("\(Self.select) WHERE code = ?", [.text(code)])).map(Self.message)
  }

  /// Copies in order of their codes.
  public func copies(after code: String, limit: Int) async throws -> [ProductCopy] {
    try await database.query(
      Statement("\(Self.select) WHERE code > ? ORDER BY code LIMIT ?", [.text(code), .integer(Int64(limit))]),
      access: .scan
    ).map(Self.message)
  }

  /// How far the copies are.
  public func status() async throws -> ProductCopyStatus {
    let row = try await database.row(Statement("SELECT count(*) FROM product_copy_unreadable"), access: .scan)
    return ProductCopyStatus(
      following.follower.withLock { $0?.status }, unreadable: try row?.integer(0) ?? 0,
      resumeToken: try await resumeToken())
  }

  private static var select: String { "SELECT payload, version FROM product_copy" }

  private static func message(_ row: Row) throws -> ProductCopy {
    let product = try Product(serialized: try row.blob(0))
    return ProductCopy(
      productID: product.productID, code: product.code, name: product.name,
      state: product.state == .onSale ? .onSale : .withdrawn, version: try row.integer(1))
  }
}

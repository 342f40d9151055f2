import API
import Core
import ProductCopies
import Storage

/// What the reports know of products: the facts that they are divided by, so a withdrawal that is here is in the reports.
struct ProductFactKnowledge: ProductKnowledge {
  let database: any Database
  /// Of the partner service; nil if that is not followed.
  let source: ReportingSource?

  func copy(of code: String) async throws -> ProductCopy? {
    try await database.row(Statement("\(Self.select) AND code = ?", [.integer(try await generation()), .text(code)]))
      .map(Self.message)
  }

  func copies(after code: String, limit: Int) async throws -> [ProductCopy] {
    try await database.query(
      Statement(
        "\(Self.select) AND code > ? ORDER BY code LIMIT ?",
        [.integer(try await generation()), .text(code), .integer(Int64(limit))]), access: .scan
    ).map(Self.message)
  }

  func status() async throws -> ProductCopyStatus {
    let repository = ProgressRepository(database: database)
    var status = ProductCopyStatus(
      source?.follower.status, unreadable: try await repository.unknownEvents(of: .partner),
      resumeToken: try await repository.progress(of: .partner).current.token)
    if try await repository.progress(of: .partner).building != nil { status.caughtUp = false }
    return status
  }

  private func generation() async throws -> Int64 {
    try await ProgressRepository(database: database).progress(of: .partner).current.number
  }

  private static var select: String {
    "SELECT product_id, code, name, state, version FROM product WHERE generation = ?"
  }

  private static func message(_ row: Row) throws -> ProductCopy {
    let isOnSale = try row.integer(3) == Int64(ProductState.onSale.rawValue)
    return ProductCopy(
      productID: try row.text(0), code: try row.text(1), name: try row.text(2),
      state: isOnSale ? .onSale : .withdrawn, version: try row.integer(4))
  }
}

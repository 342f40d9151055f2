import API
import Core
import PartnerDomain
import RPCCore
import Storage
import UseCases

/// A service's own copies of the products (P5): what it decides by, also while the partner service cannot be reached. Kept
/// right by a follower of that service's events, see `follower`.
public struct ProductCopies: Sendable {
  /// Whether a product is sold at all.
  public enum State: Sendable {
    /// No copy: another system's product, or nobody has followed the partner service yet.
    case unknown
    /// Within its windows.
    case onSale
    /// Never again.
    case withdrawn
  }

  /// Whether a product may be sold through a channel on a day.
  public enum Sale: Sendable {
    /// No copy of the product.
    case unknown
    /// It may.
    case allowed
    /// It was withdrawn.
    case withdrawn
    /// Not through this channel on this day.
    case outsideWindows
  }

  let database: any Database
  let following = Following()

  /// The copies in a database that has `migrations`. A service has one value of them, which it hands on.
  public init(database: any Database) { self.database = database }

  /// Whether the product with this code is sold at all.
  public func state(of code: String) async throws -> State {
    guard let product = try await product(code) else { return .unknown }
    return product.isWithdrawn ? .withdrawn : .onSale
  }

  /// Whether the product with this code may be sold through a channel on a day. Where the channel is not known, any
  /// channel's window will do.
  public func sale(of code: String, through channel: Core.SaleChannel?, on day: CivilDate) async throws -> Sale {
    guard let product = try await product(code) else { return .unknown }
    if product.isWithdrawn { return .withdrawn }
    let channels = channel.map { [$0] } ?? Core.SaleChannel.allCases
    return channels.contains { product.mayBeSold(through: $0, on: day) } ? .allowed : .outsideWindows
  }

  private func product(_ code: String) async throws -> ProductFacts? {
    let row = try await database.row(Statement("SELECT payload FROM product_copy WHERE code = ?", [.text(code)]))
    return try row.map { ProductFacts(copied: try Product(serialized: try $0.blob(0))) }
  }
}

/// A service that keeps copies of products in its own database.
public protocol KeepsProductCopies {
  /// The copies.
  var products: ProductCopies { get }
}

extension ProductFacts {
  /// What the partner service has told: it keeps the rules, and what is newer than this program counts as not sold.
  fileprivate init(copied product: Product) {
    var ignored = ViolationList()
    func day(_ date: CalendarDate?) -> CivilDate? { CivilDate.read(date, "", faults: &ignored) }
    self.init(
      code: product.code, name: product.name, versionDays: product.versions.compactMap { day($0.from) },
      windows: product.saleWindows.compactMap { window in
        guard let channel = Core.SaleChannel(rawValue: Int(window.channel.rawValue)),
          let from = day(window.from)
        else { return nil }
        return PartnerDomain.SaleWindow(channel: channel, from: from, until: day(window.until))
      }, isWithdrawn: product.state != .onSale)
  }
}

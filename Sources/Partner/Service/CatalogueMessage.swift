import API
import Core
import Protobuf
import UseCases

/// A message that the catalogue keeps: a partner or a product.
protocol CatalogueMessage: Message {
  associatedtype IDKind: IdentifierKind
  /// Its table.
  static var table: String { get }
  /// What people call one.
  static var noun: String { get }

  var code: String { get }
  var etag: String { get set }
  var createTime: GoogleTimestamp? { get set }
  var updateTime: GoogleTimestamp? { get set }
  /// Its id as text; empty in what is stored.
  var identifier: String { get set }
  /// The event that it was created, or changed from what it was.
  func event(from previous: Self?) throws -> (type: String, payload: [UInt8])
}

extension Partner: CatalogueMessage {
  typealias IDKind = PartnerIDKind
  static var table: String { "partner" }
  static var noun: String { "partner" }

  var identifier: String {
    get { partnerID }
    set { partnerID = newValue }
  }

  func event(from previous: Partner?) throws -> (type: String, payload: [UInt8]) {
    (PartnerChanged.fullName, try PartnerChanged(partner: self).serialized())
  }
}

extension Product: CatalogueMessage {
  typealias IDKind = ProductIDKind
  static var table: String { "product" }
  static var noun: String { "product" }

  var identifier: String {
    get { productID }
    set { productID = newValue }
  }

  func event(from previous: Product?) throws -> (type: String, payload: [UInt8]) {
    let changed = ProductChanged(product: self, previousState: previous?.state ?? .unspecified)
    return (ProductChanged.fullName, try changed.serialized())
  }
}

import API
import Core
import Protobuf
import UseCases

/// A message that the catalogue keeps: a partner or a product.
protocol CatalogueMessage: RecordMessage {
  /// Its table.
  static var table: String { get }
  /// What people call one.
  static var noun: String { get }

  var code: String { get }
  /// The event that it was created, or changed from what it was.
  func event(from previous: Self?) throws -> (type: String, payload: [UInt8])
}

extension Partner: CatalogueMessage {
  /// What its id names.
  public typealias IDKind = PartnerIDKind
  static var table: String { "partner" }
  static var noun: String { "partner" }

  /// Its id as text; empty in what is stored.
  public var identifier: String {
    get { partnerID }
    set { partnerID = newValue }
  }

  func event(from previous: Partner?) throws -> (type: String, payload: [UInt8]) {
    (PartnerChanged.fullName, try PartnerChanged(partner: self).serialized())
  }
}

extension Product: CatalogueMessage {
  /// What its id names.
  public typealias IDKind = ProductIDKind
  static var table: String { "product" }
  static var noun: String { "product" }

  /// Its id as text; empty in what is stored.
  public var identifier: String {
    get { productID }
    set { productID = newValue }
  }

  func event(from previous: Product?) throws -> (type: String, payload: [UInt8]) {
    let changed = ProductChanged(product: self, previousState: previous?.state ?? .unspecified)
    return (ProductChanged.fullName, try changed.serialized())
  }
}

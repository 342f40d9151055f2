import API
import Core
import PartnerDomain
import RPCCore
import UseCases

// Partners and products between the wire (API) and the rules (PartnerDomain).

extension PartnerFacts {
  /// The facts of a partner as it came; notes what has no place in the domain.
  init(_ partner: Partner, faults: inout ViolationList) {
    if PartnerDomain.PartnerKind(rawValue: Int(partner.kind.rawValue)) == nil {
      faults.add("kind", partner.kind == .unspecified ? "is required" : "is not known")
    }
    let from = CivilDate.read(partner.contractFrom, "contract_from", faults: &faults)
    if partner.contractFrom == nil { faults.add("contract_from", "is required") }
    let until = CivilDate.read(partner.contractUntil, "contract_until", faults: &faults)
    // What stands in for a missing day is never kept: the fault is noted.
    self.init(
      code: partner.code, name: partner.name, companyCode: partner.uscc,
      contractFrom: from ?? CivilDate(daysSinceEpoch: -.max / 2), contractUntil: until)
  }
}

extension PartnerDomain.SaleWindow {
  /// Windows as they came; notes what has no place in the domain.
  static func read(_ windows: [API.SaleWindow], faults: inout ViolationList) -> [PartnerDomain.SaleWindow] {
    var read: [PartnerDomain.SaleWindow] = []
    for (index, window) in windows.enumerated() {
      let path = "sale_windows[\(index)]"
      let channel = Core.SaleChannel(rawValue: Int(window.channel.rawValue))
      if channel == nil {
        faults.add("\(path).channel", window.channel == .unspecified ? "is required" : "is not known")
      }
      let from = CivilDate.read(window.from, "\(path).from", faults: &faults)
      if window.from == nil { faults.add("\(path).from", "is required") }
      let until = CivilDate.read(window.until, "\(path).until", faults: &faults)
      if let channel, let from { read.append(PartnerDomain.SaleWindow(channel: channel, from: from, until: until)) }
    }
    return read
  }
}

extension ProductFacts {
  /// The facts of a product as it came; notes what has no place in the domain.
  init(_ product: Product, faults: inout ViolationList) {
    if !(1...7).contains(product.line.rawValue) {
      faults.add("line", product.line == .unspecified ? "is required" : "is not known")
    }
    if !product.insurerPartnerID.isEmpty, PartnerID(product.insurerPartnerID) == nil {
      faults.add("insurer_partner_id", "must be an id prt_…")
    }
    if let premium = Core.Money.read(product.minimumAnnualPremium, "minimum_annual_premium", faults: &faults),
      premium.minorUnits < 0
    {
      faults.add("minimum_annual_premium", "must not be negative")
    }
    var days: [CivilDate] = []
    for (index, version) in product.versions.enumerated() {
      let path = "versions[\(index)]"
      faults.check(version.description, length: 0...1_024, "\(path).description")
      if version.from == nil { faults.add("\(path).from", "is required") }
      if let day = CivilDate.read(version.from, "\(path).from", faults: &faults) { days.append(day) }
    }
    self.init(
      code: product.code, name: product.name, versionDays: days,
      windows: PartnerDomain.SaleWindow.read(product.saleWindows, faults: &faults),
      isWithdrawn: product.state == .withdrawn)
  }

  /// Fails if the product's newest version breaks a rule, under its name in AddProductVersionRequest.
  static func checkNewest(in product: Product) throws {
    var faults = ViolationList()
    ProductFacts(product, faults: &faults).validate(into: &faults)
    let place = "versions[\(product.versions.count - 1)]"
    let own = faults.violations.filter { $0.path.hasPrefix(place) }
    guard own.isEmpty else {
      throw InvalidRecord(own.map { Violation("version" + $0.path.dropFirst(place.count), $0.reason) })
    }
  }

  /// The facts of a product that was stored.
  init(stored product: Product) throws {
    var faults = ViolationList()
    self.init(product, faults: &faults)
    guard faults.violations.isEmpty else { throw RPCError.damaged("product \(product.code)") }
  }
}

extension WithdrawnProduct: RPCErrorConvertible {
  /// FAILED_PRECONDITION.
  public var rpcError: RPCError { RPCError(.failedPrecondition, description) }
}

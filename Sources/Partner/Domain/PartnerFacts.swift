import Core

/// What a partner is; the numbers are the proto's.
public enum PartnerKind: Int, Sendable {
  /// A broker or agency firm.
  case intermediary = 1
  /// 兼业代理.
  case bank = 2
  /// An insurer whose products are sold.
  case insurer = 3
  /// Health, elder care, life and finance services.
  case ecosystem = 4
}

/// A company under contract, without what the service adds (id, version, times).
public struct PartnerFacts: Hashable, Sendable {
  /// Unique short code.
  public var code: String
  /// 1 to 256 characters.
  public var name: String
  /// 统一社会信用代码; empty if not known.
  public var companyCode: String
  /// First day of the agreement.
  public var contractFrom: CivilDate
  /// Last day of the agreement; nil if it has no end.
  public var contractUntil: CivilDate?

  /// Facts as they came from outside; `validate` says whether they may be kept.
  public init(
    code: String, name: String, companyCode: String = "", contractFrom: CivilDate, contractUntil: CivilDate? = nil
  ) {
    self.code = code
    self.name = name
    self.companyCode = companyCode
    self.contractFrom = contractFrom
    self.contractUntil = contractUntil
  }

  /// Notes every fault under its proto name.
  public func validate(into faults: inout ViolationList) {
    CatalogueCode.check(code, atMost: 32, "code", into: &faults)
    faults.check(name, length: 1...256, "name")
    if !companyCode.isEmpty, CompanyCode.canonical(companyCode) == nil {
      faults.add("uscc", "is no unified social credit code of GB 32100-2015")
    }
    if let contractUntil, contractUntil < contractFrom {
      faults.add("contract_until", "must not be before contract_from")
    }
  }
}

/// The codes by which people name partners and products.
public enum CatalogueCode {
  /// Notes a fault unless the code has 1 to `limit` upper-case letters, digits or hyphens.
  public static func check(_ code: String, atMost limit: Int, _ path: String, into faults: inout ViolationList) {
    let wellFormed = code.utf8.allSatisfy {
      (65...90).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-")
    }
    if code.isEmpty || code.utf8.count > limit || !wellFormed {
      faults.add(path, "must be 1 to \(limit) upper-case letters, digits or \"-\"")
    }
  }
}

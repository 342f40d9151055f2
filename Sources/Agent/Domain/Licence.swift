import Core

/// A permit to sell (执业登记): what, where and when.
public struct Licence: Hashable, Sendable {
  /// Registration number, unique among all agents; 1 to 64 characters.
  public let number: String
  /// What it allows to sell.
  public let line: LicenceLine
  /// 省级行政区, or `wholeCountry`; 1 to 64 characters.
  public let region: String
  /// First day.
  public let validFrom: CivilDate
  /// Last day; nil if it has no end.
  public let validUntil: CivilDate?

  /// The region that stands for all.
  public static let wholeCountry = "*"

  /// A licence as it came from outside; `validate` says whether it may be kept.
  public init(number: String, line: LicenceLine, region: String, validFrom: CivilDate, validUntil: CivilDate? = nil) {
    self.number = number
    self.line = line
    self.region = region
    self.validFrom = validFrom
    self.validUntil = validUntil
  }

  /// Whether it allows a sale of this line in this region on this day.
  public func covers(_ line: LicenceLine, region: String, on date: CivilDate) -> Bool {
    self.line == line && (self.region == Licence.wholeCountry || self.region == region) && validFrom <= date
      && validUntil.map { date <= $0 } ?? true
  }

  /// Notes every limit that the licence, which stands in this field, breaks. An empty path is the record itself.
  public func validate(_ path: String = "", into faults: inout ViolationList) {
    let prefix = path.isEmpty ? "" : path + "."
    faults.check(number, length: 1...64, prefix + "number")
    faults.check(region, length: 1...64, prefix + "region")
    if let validUntil, validUntil < validFrom { faults.add(prefix + "valid_until", "lies before valid_from") }
  }
}

/// Lines of business that a licence allows; the numbers are the proto's.
public enum LicenceLine: Int, Sendable {
  /// 寿险
  case life = 1
  /// 健康险、意外险
  case healthAndAccident = 2
  /// 财产险
  case property = 3
}

extension [Licence] {
  /// By first day, then by number: how an agent's licences are kept.
  public var inOrder: [Licence] { sorted { ($0.validFrom, $0.number) < ($1.validFrom, $1.number) } }
}

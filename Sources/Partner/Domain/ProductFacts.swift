import Core

/// When a product may be sold through a channel.
public struct SaleWindow: Hashable, Sendable {
  /// The channel.
  public let channel: SaleChannel
  /// First day.
  public let from: CivilDate
  /// Last day; nil if it has no end.
  public let until: CivilDate?

  /// A window.
  public init(channel: SaleChannel, from: CivilDate, until: CivilDate? = nil) {
    self.channel = channel
    self.from = from
    self.until = until
  }

  /// Whether the day lies in it.
  public func contains(_ day: CivilDate) -> Bool { from <= day && until.map { day <= $0 } ?? true }

  fileprivate func overlaps(_ other: SaleWindow) -> Bool {
    channel == other.channel && (until.map { other.from <= $0 } ?? true) && (other.until.map { from <= $0 } ?? true)
  }
}

/// A product as far as its sale goes, without what the service adds.
public struct ProductFacts: Hashable, Sendable {
  /// Most windows.
  public static let maximumWindows = 64
  /// Most versions.
  public static let maximumVersions = 100

  /// Unique code.
  public var code: String
  /// 1 to 256 characters.
  public var name: String
  /// First day of each version, oldest first.
  public var versionDays: [CivilDate]
  /// When it may be sold through whom.
  public var windows: [SaleWindow]
  /// Whether it was taken off sale, which is final.
  public var isWithdrawn: Bool

  /// Facts as they came from outside; `validate` says whether they may be kept.
  public init(
    code: String, name: String, versionDays: [CivilDate], windows: [SaleWindow], isWithdrawn: Bool = false
  ) {
    self.code = code
    self.name = name
    self.versionDays = versionDays
    self.windows = windows
    self.isWithdrawn = isWithdrawn
  }

  /// Notes every fault under its proto name.
  public func validate(into faults: inout ViolationList) {
    CatalogueCode.check(code, atMost: 64, "code", into: &faults)
    faults.check(name, length: 1...256, "name")
    faults.check(count: versionDays.count, atMost: ProductFacts.maximumVersions, "versions")
    if versionDays.isEmpty { faults.add("versions", "needs at least one version") }
    for (index, (earlier, later)) in zip(versionDays, versionDays.dropFirst()).enumerated() where later <= earlier {
      faults.add("versions[\(index + 1)].from", "must be later than that of the version before")
    }
    ProductFacts.check(windows, into: &faults)
  }

  /// Notes the faults of windows: days in order, no two of one channel on one day.
  public static func check(_ windows: [SaleWindow], into faults: inout ViolationList) {
    faults.check(count: windows.count, atMost: maximumWindows, "sale_windows")
    for (index, window) in windows.prefix(maximumWindows).enumerated() {
      if let until = window.until, until < window.from {
        faults.add("sale_windows[\(index)].until", "must not be before from")
      }
      if windows[..<index].contains(where: { $0.overlaps(window) }) {
        faults.add("sale_windows[\(index)]", "overlaps another window of its channel")
      }
    }
  }

  /// Whether it may be sold through a channel on a day.
  public func mayBeSold(through channel: SaleChannel, on day: CivilDate) -> Bool {
    !isWithdrawn && (versionDays.first.map { $0 <= day } ?? false)
      && windows.contains { $0.channel == channel && $0.contains(day) }
  }

  /// Refuses a change of a product that was withdrawn.
  public func requireOnSale() throws(WithdrawnProduct) {
    if isWithdrawn { throw WithdrawnProduct(code: code) }
  }
}

/// A product that was withdrawn takes no change any more.
public struct WithdrawnProduct: Error, Equatable, CustomStringConvertible {
  /// Its code.
  public let code: String

  /// A refusal for this product.
  public init(code: String) { self.code = code }

  /// One line for the caller.
  public var description: String { "product \(code) is withdrawn, which is final; create another one" }
}

import API
import Core
import Protobuf

// Values between the wire (API) and the rules (Core).

extension CivilDate {
  /// The day that a message names; notes one that does not exist.
  public static func read(_ date: CalendarDate?, _ path: String, faults: inout ViolationList) -> CivilDate? {
    guard let date else { return nil }
    let day = CivilDate(year: Int(date.year), month: Int(date.month), day: Int(date.day))
    if day == nil { faults.add(path, "no such day") }
    return day
  }
}

extension CalendarDate {
  /// A day on the wire.
  public init(_ date: CivilDate) { self.init(year: Int32(date.year), month: Int32(date.month), day: Int32(date.day)) }
}

extension CivilDate {
  /// The day that a message must name; notes one that is missing or does not exist, and returns the first day of all for it.
  public static func required(_ date: CalendarDate?, _ path: String, faults: inout ViolationList) -> CivilDate {
    if date == nil { faults.add(path, "is required") }
    return read(date, path, faults: &faults) ?? CivilDate(daysSinceEpoch: -.max / 2)
  }
}

extension RawRepresentable where RawValue == Int {
  /// The value that a message's enum names by its number; nil for UNSPECIFIED. Notes a number that the program does not know.
  public static func read(_ number: Int32, _ path: String, faults: inout ViolationList) -> Self? {
    let value = Self(rawValue: Int(number))
    if value == nil, number != 0 { faults.add(path, "is not known") }
    return value
  }

  /// The value that a message must name; notes one that is missing or not known, and returns the stand-in for it.
  public static func required(
    _ number: Int32, _ path: String, standIn: Self, faults: inout ViolationList
  ) -> Self {
    if number == 0 { faults.add(path, "is required") }
    return read(number, path, faults: &faults) ?? standIn
  }
}

extension Timestamp {
  /// The point in time that a message names, cut to microseconds; notes one outside the years 1 to 9999 or with a fraction that
  /// is none (google.protobuf.Timestamp's own limits).
  public static func read(_ time: GoogleTimestamp?, _ path: String, faults: inout ViolationList) -> Timestamp? {
    guard let time else { return nil }
    guard (-62_135_596_800...253_402_300_799).contains(time.seconds), (0...999_999_999).contains(time.nanos) else {
      faults.add(path, "no such time")
      return nil
    }
    return Timestamp(microsecondsSinceEpoch: time.seconds * 1_000_000 + Int64(time.nanos) / 1_000)
  }

  /// When a day begins in Asia/Shanghai (UTC+8).
  public static func midnightInShanghai(_ date: CivilDate) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: (Int64(date.daysSinceEpoch) * 86_400 - 8 * 3_600) * 1_000_000)
  }
}

extension GoogleTimestamp {
  /// A point in time on the wire.
  public init(_ time: Timestamp) { self.init(seconds: time.seconds, nanos: time.nanoseconds) }
}

extension Core.Money {
  /// The amount that a message names; notes one without a proper currency.
  public static func read(_ money: API.Money?, _ path: String, faults: inout ViolationList) -> Core.Money? {
    guard let money else { return nil }
    let amount = Core.Money(minorUnits: money.minorUnits, currencyCode: money.currencyCode)
    if amount == nil {
      faults.add("\(path).currency_code", "must be three capital letters of ISO 4217, for example \"CNY\"")
    }
    return amount
  }
}

extension API.Money {
  /// An amount on the wire.
  public init(_ amount: Core.Money) {
    self.init(currencyCode: amount.currencyCode, minorUnits: amount.minorUnits)
  }
}

/// A message in the wire format. Nothing that was received can fail here: a text with a NUL was refused when it came.
public func encoded(_ message: some Message) throws(InvalidRecord) -> [UInt8] {
  do { return try message.serialized() } catch { throw InvalidRecord([Violation(error.field, error.reason)]) }
}

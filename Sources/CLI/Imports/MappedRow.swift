import API
import Core

/// A row whose values have been read by the mapping: typed, and joined where several columns lead to one field.
struct MappedRow {
  /// A value and where it goes.
  struct Value {
    let column: String
    let field: ImportField
    var text: String
    var date: CivilDate?
    var money: API.Money?
    /// Millionths of a month.
    var micromonths: Int64?
    var issuer = ""
    var identifierType = ""
  }

  let kind: RecordKind
  let key: String
  let values: [Value]
  let constants: [(field: ImportField, value: String)]
  /// Values that their fields could not take, and that the mapping keeps.
  let keptAttributes: [API.SourceAttribute]
  /// Amounts that the mapping takes for missing.
  let missingAmounts: Int
  /// What the mapping derives from other fields.
  let derived: Set<ImportField>

  /// Reads a record; throws what is wrong with it. Blank values count as absent.
  init(_ record: CSVRecord, _ bound: BoundMapping) throws(RowFault) {
    if let problem = record.problem { throw RowFault(reason: problem) }
    guard record.fields.count == bound.columnCount else {
      throw RowFault(reason: "\(record.fields.count) values where the header has \(bound.columnCount)")
    }
    kind = bound.mapping.kind
    constants = bound.mapping.constants
    derived = bound.mapping.derived
    key = try MappedRow.text(record.fields[bound.keyPlace], bound.mapping.key)
    guard !key.isEmpty else { throw RowFault(reason: "\(bound.mapping.key): the key is empty") }
    var values: [Value] = []
    var kept: [API.SourceAttribute] = []
    var missing = 0
    for (place, rule) in bound.rules {
      var text = try MappedRow.text(record.fields[place], rule.column)
      guard !text.isEmpty else { continue }
      if !rule.values.isEmpty {
        guard let translated = rule.values[text] else {
          try MappedRow.keep(rule, text, "is none of the mapping's values", &kept)
          continue
        }
        text = translated
        guard !text.isEmpty else { continue }
      }
      var value = Value(column: rule.column, field: rule.field, text: text)
      guard let expected = MappedRow.interpret(&value, rule) else {
        if rule.nonPositiveIsMissing, let money = value.money, money.minorUnits <= 0 {
          missing += 1
          continue
        }
        if rule.field.joins, let index = values.firstIndex(where: { $0.field == rule.field }) {
          values[index].text += " " + text
        } else {
          values.append(value)
        }
        continue
      }
      try MappedRow.keep(rule, text, expected, &kept)
    }
    self.values = values
    keptAttributes = kept
    missingAmounts = missing
  }

  /// Reads a value of a type; nil, or what was expected.
  private static func interpret(_ value: inout Value, _ rule: Mapping.Rule) -> String? {
    switch rule.field {
    case .birthDate, .issueDate, .endDate, .observedUntilDate, .dueDate, .receivedDate:
      value.date = rule.dateFormat.day(value.text)
      return value.date == nil ? "is no day in the mapping's format" : nil
    case .annualPremium, .sumAssured, .due, .received:
      guard let minorUnits = minorUnits(value.text, rule) else { return "is no amount" }
      value.money = API.Money(currencyCode: rule.currency, minorUnits: minorUnits)
      return nil
    case .observedDuration:
      value.micromonths = rule.unit?.micromonths(value.text)
      return value.micromonths == nil ? "is no length of time" : nil
    case .paymentMethod: return EnumNames.paymentMethod(value.text) == nil ? "is no way of payment" : nil
    case .endCause: return EnumNames.endCause(value.text) == nil ? "is no cause of an end" : nil
    case .sex: return EnumNames.sex(value.text) == nil ? "is no sex" : nil
    case .channel: return EnumNames.channel(value.text) == nil ? "is no channel" : nil
    case .state: return EnumNames.state(value.text) == nil ? "is no state of a policy" : nil
    case .premiumFrequency: return EnumNames.premiumFrequency(value.text) == nil ? "is no premium frequency" : nil
    case .identifier:
      (value.issuer, value.identifierType) = (rule.issuer, rule.identifierType)
      return nil
    default: return nil
    }
  }

  private static func minorUnits(_ text: String, _ rule: Mapping.Rule) -> Int64? {
    guard let number = ExactDecimal(text) else { return nil }
    guard rule.scale != nil || rule.offset != nil else { return number.minorUnits(decimals: rule.decimals) }
    guard let one = ExactDecimal("1"), let zero = ExactDecimal("0") else { return nil }
    return number.scaled(by: rule.scale ?? one, plus: rule.offset ?? zero)?.minorUnits(decimals: rule.decimals)
  }

  private static func keep(
    _ rule: Mapping.Rule, _ text: String, _ problem: String, _ kept: inout [API.SourceAttribute]
  ) throws(RowFault) {
    guard rule.invalid == .keep else { throw RowFault(reason: "\(rule.column): \(problem)") }
    kept.append(API.SourceAttribute(name: rule.column, value: text))
  }

  /// The value as text without blanks around it.
  private static func text(_ bytes: [UInt8], _ column: String) throws(RowFault) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw RowFault(reason: "\(column): is not UTF-8") }
    guard !bytes.contains(0) else { throw RowFault(reason: "\(column): holds a NUL character") }
    guard let first = bytes.first, let last = bytes.last else { return "" }
    // Blanks are rare, so look before copying; 0xE3 begins the ideographic space.
    if first > 0x20, last > 0x20, first < 0x80, last < 0x80 { return text }
    let trimmed = text.drop(while: \.isWhitespace)
    guard let end = trimmed.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(trimmed[...end])
  }
}

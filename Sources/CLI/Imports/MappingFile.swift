import Yams

/// Reads mapping files:
///
///     kind: person                      person, company, policy or premium
///     key: rec_id                       the column with the source's key
///     columns:
///       given_name: person.given_name
///       date_of_birth: {field: person.birth_date, format: yyyyMMdd, invalid: keep}
///     constants: {addresses[0].country_code: AU}
///     ignore: [remarks]
///     derive: [end_date, observed_until_date]     policies: days from issue_date and observed_duration
///
/// Options of a column: field; format (days); invalid (reject, keep); values (what to take for a value); issuer and type
/// (identifiers); currency, decimals, scale, offset (money: value × scale + offset); non_positive (money: missing); unit
/// (observed_duration: quarters, months or days).
struct MappingFile {
  private let name: String

  /// Reads a file; throws one line that names the place.
  static func read(_ path: String) throws -> Mapping {
    try MappingFile(name: path).parse(try Files.text(path))
  }

  /// Reads a text; `name` is for messages.
  static func parse(_ text: String, name: String) throws -> Mapping {
    try MappingFile(name: name).parse(text)
  }

  private func parse(_ text: String) throws -> Mapping {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch {
      throw CommandFailure.usage("\(name) is no YAML: \(oneLine("\(error)"))")
    }
    guard let root, let entries = root.mapping else { throw CommandFailure.usage("\(name) must hold KEY: VALUE lines") }
    try check(entries, known: ["kind", "key", "columns", "constants", "ignore", "derive"])
    guard let kindText = root["kind"]?.string, let kind = RecordKind(rawValue: kindText) else {
      throw fault(root["kind"] ?? root, "kind must be person, company, policy or premium")
    }
    guard let key = root["key"]?.string, !key.isEmpty else {
      throw fault(root["key"] ?? root, "key must name the column with the source's key")
    }
    let mapping = Mapping(
      name: name, kind: kind, key: key, rules: try rules(root["columns"], kind), constants: try constants(root, kind),
      ignored: try names(root["ignore"], "ignore"), derived: try derived(root, kind))
    try checkTargets(mapping, root)
    return mapping
  }

  private func rules(_ node: Node?, _ kind: RecordKind) throws -> [Mapping.Rule] {
    guard let node else { return [] }
    guard let columns = node.mapping else { throw fault(node, "columns must hold COLUMN: FIELD lines") }
    var rules: [Mapping.Rule] = []
    for (column, target) in columns {
      let targets = target.sequence.map(Array.init) ?? [target]
      for target in targets { rules.append(try rule(column.string ?? "", target, kind)) }
    }
    return rules
  }

  private func rule(_ column: String, _ node: Node, _ kind: RecordKind) throws -> Mapping.Rule {
    guard let options = node.mapping else {
      return try checked(Mapping.Rule(column: column, field: try field(node, kind)), node)
    }
    try check(
      options,
      known: [
        "field", "format", "invalid", "values", "issuer", "type", "currency", "decimals", "scale", "offset",
        "non_positive", "unit",
      ])
    guard let path = node["field"] else { throw fault(node, "\(column) has no field") }
    var rule = Mapping.Rule(column: column, field: try field(path, kind))
    if let format = node["format"] {
      guard rule.field.isDate, let parsed = format.string.flatMap({ DateFormat($0) }) else {
        throw fault(format, "format is for days and has yyyy, MM and dd, for example yyyyMMdd")
      }
      rule.dateFormat = parsed
    }
    if let invalid = node["invalid"] {
      guard let choice = invalid.string.flatMap({ Mapping.InvalidValue(rawValue: $0) }) else {
        throw fault(invalid, "invalid must be reject or keep")
      }
      rule.invalid = choice
    }
    if let values = node["values"] { rule.values = try texts(values, "values") }
    rule.issuer = node["issuer"]?.string ?? ""
    rule.identifierType = node["type"]?.string ?? ""
    rule.currency = node["currency"]?.string ?? ""
    if let decimals = node["decimals"] {
      guard let count = decimals.int, (0...4).contains(count) else { throw fault(decimals, "decimals must be 0 to 4") }
      rule.decimals = count
    }
    rule.scale = try number(node["scale"], "scale")
    rule.offset = try number(node["offset"], "offset")
    if let nonPositive = node["non_positive"] {
      guard rule.field.isMoney, nonPositive.string == "missing" else {
        throw fault(nonPositive, "non_positive is for money, and may be \"missing\"")
      }
      rule.nonPositiveIsMissing = true
    }
    if let unit = node["unit"] {
      guard rule.field == .observedDuration, let known = unit.string.flatMap({ DurationUnit(rawValue: $0) }) else {
        throw fault(unit, "unit is for observed_duration, and is quarters, months or days")
      }
      rule.unit = known
    }
    return try checked(rule, node)
  }

  /// Options that a field needs or cannot have.
  private func checked(_ rule: Mapping.Rule, _ node: Node) throws -> Mapping.Rule {
    if rule.field == .identifier, EnumNames.identifierType(rule.identifierType) == nil {
      throw fault(node, "\(rule.column): identifiers need a type: \(EnumNames.identifierTypes)")
    }
    if rule.field.isMoney, rule.currency.utf8.count != 3 {
      throw fault(node, "\(rule.column): money needs a currency, for example CNY")
    }
    if rule.field == .observedDuration, rule.unit == nil {
      throw fault(node, "\(rule.column): observed_duration needs a unit: quarters, months or days")
    }
    if !rule.field.isMoney, rule.scale != nil || rule.offset != nil {
      throw fault(node, "\(rule.column): scale and offset are for money")
    }
    return rule
  }

  private func constants(_ root: Node, _ kind: RecordKind) throws -> [(field: ImportField, value: String)] {
    guard let node = root["constants"] else { return [] }
    guard let entries = node.mapping else { throw fault(node, "constants must hold FIELD: VALUE lines") }
    return try entries.map { path, value in
      guard let text = value.string else { throw fault(value, "a constant must be one value") }
      let field = try field(path, kind)
      guard !field.isMoney else { throw fault(path, "money cannot be a constant") }
      return (field, text)
    }
  }

  private func names(_ node: Node?, _ what: String) throws -> Set<String> {
    guard let node else { return [] }
    guard let names = node.sequence else { throw fault(node, "\(what) must be a list") }
    return Set(names.compactMap(\.string))
  }

  private func derived(_ root: Node, _ kind: RecordKind) throws -> Set<ImportField> {
    let fields = try names(root["derive"], "derive").map { ImportField($0, of: kind) }
    guard fields.allSatisfy({ $0 == .endDate || $0 == .observedUntilDate }) else {
      throw fault(root["derive"] ?? root, "only end_date and observed_until_date of policies can be derived")
    }
    return Set(fields.compactMap { $0 })
  }

  /// Two columns for a field that takes one would hide each other.
  private func checkTargets(_ mapping: Mapping, _ root: Node) throws {
    var seen: [ImportField: String] = [:]
    for rule in mapping.rules where !rule.field.joins && !rule.field.isList {
      if let other = seen.updateValue(rule.column, forKey: rule.field) {
        throw fault(
          root["columns"] ?? root, "\(other) and \(rule.column) lead to the same field, which takes one value")
      }
    }
    for rule in mapping.rules where mapping.ignored.contains(rule.column) {
      throw fault(root["ignore"] ?? root, "\(rule.column) is both mapped and ignored")
    }
  }

  private func field(_ node: Node, _ kind: RecordKind) throws -> ImportField {
    let path = node.string ?? ""
    if let field = ImportField(path, of: kind) { return field }
    throw fault(
      node, "a \(kind.rawValue) has no field \"\(path)\"; it has \(ImportField.names(of: kind).joined(separator: ", "))"
    )
  }

  private func texts(_ node: Node, _ what: String) throws -> [String: String] {
    guard let entries = node.mapping else { throw fault(node, "\(what) must hold OLD: NEW lines") }
    var texts: [String: String] = [:]
    for (key, value) in entries { texts[key.string ?? ""] = value.string ?? "" }
    return texts
  }

  private func number(_ node: Node?, _ what: String) throws -> ExactDecimal? {
    guard let node else { return nil }
    guard let number = node.scalar.flatMap({ ExactDecimal($0.string) }) else {
      throw fault(node, "\(what) must be a decimal number")
    }
    return number
  }

  private func check(_ entries: Node.Mapping, known: [String]) throws {
    for (key, _) in entries where !known.contains(key.string ?? "") {
      throw fault(key, "unknown key \"\(key.string ?? "")\"; known are \(known.joined(separator: ", "))")
    }
  }

  private func fault(_ node: Node, _ reason: String) -> CommandFailure {
    .usage("\(name):\(node.mark?.line ?? 1): \(reason)")
  }

  private func oneLine(_ text: String) -> String {
    text.split(separator: "\n").joined(separator: " ")
  }
}

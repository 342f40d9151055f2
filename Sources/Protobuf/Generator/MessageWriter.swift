import Protobuf

/// Writes the Swift struct of a message: properties, initializers, nested types.
struct MessageWriter {
  let message: ProtoMessage
  let names: SwiftNames
  let recursion: Recursion

  private var pool: DescriptorPool { names.pool }

  private enum Member {
    case field(FieldForm)
    case oneof(Int)
  }

  /// The fields by number, each oneof at its first field.
  private var members: [Member] {
    var seen: Set<Int> = []
    var members: [Member] = []
    for field in message.fields {
      if let oneof = field.oneofIndex {
        if seen.insert(oneof).inserted { members.append(.oneof(oneof)) }
      } else {
        members.append(.field(FieldForm(field: field, names: names)))
      }
    }
    return members
  }

  func write(to source: inout SourceText) {
    let name = names.type(message.fullName).split(separator: ".").last.map(String.init) ?? message.name
    source.documentation(message.comment, otherwise: "The message `\(message.fullName)`.")
    source.block("public struct \(SwiftNames.quoted(name)): GeneratedMessage") { source in
      source.line("/// Its name in the proto.")
      source.line("public static let fullName = \"\(message.fullName)\"")
      for member in members { write(member, to: &source) }
      source.line()
      source.line("/// All fields at their defaults.")
      source.line("public init() {}")
      writeInitializer(to: &source)
      for oneof in message.oneofs.indices { writeOneof(oneof, to: &source) }
      for nested in pool.enums where nested.parent == message.fullName {
        source.line()
        EnumWriter(declared: nested, names: names).write(to: &source)
      }
      for nested in pool.messages where nested.parent == message.fullName && !nested.isMapEntry {
        source.line()
        MessageWriter(message: nested, names: names, recursion: recursion).write(to: &source)
      }
      source.line()
      ConversionWriter(message: message, names: names).write(to: &source)
    }
  }

  private func write(_ member: Member, to source: inout SourceText) {
    source.line()
    switch member {
    case .oneof(let index):
      let oneof = message.oneofs[index]
      source.documentation(oneof.comment, otherwise: "The oneof `\(oneof.name)`; nil if none of its fields is set.")
      source.line("public var \(property(of: oneof)): \(SwiftNames.oneofType(oneof.name))?")
    case .field(let form):
      source.documentation(form.field.comment, otherwise: "The field `\(form.field.name)`.")
      if isBoxed(form) {
        let box = "boxed\(SwiftNames.oneofType(form.field.name))"
        source.block("public var \(form.property): \(type(of: form))") { source in
          source.line("get { \(box)?.value }")
          source.line("set { \(box) = newValue.map { Box($0) } }")
        }
        source.line("private var \(box): Box<\(form.valueType)>?")
      } else {
        let value = defaultValue(of: form)
        source.line("public var \(form.property): \(type(of: form))" + (value == "nil" ? "" : " = \(value)"))
      }
    }
  }

  private func property(of oneof: ProtoOneof) -> String { SwiftNames.quoted(SwiftNames.property(oneof.name)) }

  private func isBoxed(_ form: FieldForm) -> Bool {
    form.isMessage && !form.field.isRepeated && recursion.leads(from: form.field.typeName, to: message.fullName)
  }

  private func type(of form: FieldForm) -> String {
    if let (key, value) = mapForms(form.field, names: names) { return "[\(key.valueType): \(value.valueType)]" }
    if form.field.isRepeated { return "[\(form.valueType)]" }
    return form.isMessage ? "\(form.valueType)?" : form.valueType
  }

  private func defaultValue(of form: FieldForm) -> String {
    if form.field.isMap { return "[:]" }
    if form.field.isRepeated { return "[]" }
    return form.isMessage ? "nil" : form.defaultValue
  }

  private func writeInitializer(to source: inout SourceText) {
    let parameters = members.map { member in
      switch member {
      case .oneof(let index):
        let oneof = message.oneofs[index]
        return (property(of: oneof), "\(SwiftNames.oneofType(oneof.name))?", "nil")
      case .field(let form): return (form.property, type(of: form), defaultValue(of: form))
      }
    }
    guard !parameters.isEmpty else { return }
    source.line()
    source.line("/// With these fields; what is left out has its default.")
    source.line("public init(")
    source.indented { source in
      for (index, parameter) in parameters.enumerated() {
        let comma = index + 1 < parameters.count ? "," : ""
        source.line("\(parameter.0): \(parameter.1) = \(parameter.2)\(comma)")
      }
    }
    source.block(")") { source in
      for parameter in parameters { source.line("self.\(parameter.0) = \(parameter.0)") }
    }
  }

  private func writeOneof(_ index: Int, to source: inout SourceText) {
    let oneof = message.oneofs[index]
    let fields = message.fields.filter { $0.oneofIndex == index }
    let indirect = fields.contains {
      $0.type == .message && recursion.leads(from: $0.typeName, to: message.fullName)
    }
    source.line()
    source.line("/// What `\(oneof.name)` can hold.")
    let opening = "public \(indirect ? "indirect " : "")enum \(SwiftNames.oneofType(oneof.name)): Equatable, Sendable"
    source.block(opening) { source in
      for field in fields {
        let form = FieldForm(field: field, names: names)
        source.documentation(field.comment, otherwise: "The field `\(field.name)`.")
        source.line("case \(form.property)(\(form.valueType))")
      }
    }
  }
}

/// Key and value of a map field.
func mapForms(_ field: ProtoField, names: SwiftNames) -> (key: FieldForm, value: FieldForm)? {
  guard field.isMap, let index = field.typeIndex else { return nil }
  let entry = names.pool.messages[index]
  guard let key = entry.field(number: 1), let value = entry.field(number: 2) else { return nil }
  return (FieldForm(field: key, names: names), FieldForm(field: value, names: names))
}

import Protobuf

/// Writes the way between the Swift struct and protobuf-c's structure.
struct ConversionWriter {
  let message: ProtoMessage
  let names: SwiftNames

  private var cType: String { CNames.type(message.fullName) }
  private var cFunctions: String { CNames.functions(message.fullName) }
  private var plainFields: [ProtoField] { message.fields.filter { $0.oneofIndex == nil } }

  func write(to source: inout SourceText) {
    source.line("/// protobuf-c's descriptor of the message.")
    source.line("public static var cDescriptor: UnsafeRawPointer { \(cFunctions)__descriptor_pointer() }")
    source.line()
    source.line("/// Takes the fields out of an unpacked C structure.")
    source.block("public init(cMessage: UnsafeRawPointer)") { source in
      source.line("self.init()")
      guard !message.fields.isEmpty else { return }
      source.line("let c = cMessage.assumingMemoryBound(to: \(cType).self)")
      for field in plainFields { writeReading(field, to: &source) }
      for index in message.oneofs.indices { writeReadingOneof(index, to: &source) }
    }
    source.line()
    source.line("/// Builds the C structure in the arena.")
    source.block("public func cMessage(in arena: Arena) throws(EncodingFailure) -> UnsafeMutableRawPointer") { source in
      source.line("let c = arena.allocate(\(cType).self)")
      source.line("\(cFunctions)__init(c)")
      for field in plainFields { writeBuilding(field, to: &source) }
      for index in message.oneofs.indices { writeBuildingOneof(index, to: &source) }
      source.line("return UnsafeMutableRawPointer(c)")
    }
  }

  // MARK: from C

  private func writeReading(_ field: ProtoField, to source: inout SourceText) {
    let form = FieldForm(field: field, names: names)
    let member = "c.pointee.\(form.member)"
    let property = "self.\(form.property)"
    if let (key, value) = mapForms(field, names: names) {
      source.block("if let list = \(member)") { source in
        source.block("for index in 0..<c.pointee.n_\(CNames.member(field.name))") { source in
          source.line("guard let entry = list[index] else { continue }")
          let entryValue =
            value.isMessage
            ? "entry.pointee.value.map { \(value.valueType)(cMessage: $0) } ?? \(value.valueType)()"
            : value.fromC("entry.pointee.value")
          source.line("\(property)[\(key.fromC("entry.pointee.key"))] = \(entryValue)")
        }
      }
    } else if field.isRepeated {
      source.block("if let list = \(member)") { source in
        source.line("\(property).reserveCapacity(c.pointee.n_\(CNames.member(field.name)))")
        source.block("for index in 0..<c.pointee.n_\(CNames.member(field.name))") { source in
          if form.isMessage {
            source.line("if let inner = list[index] { \(property).append(\(form.fromC("inner"))) }")
          } else {
            source.line("\(property).append(\(form.fromC("list[index]")))")
          }
        }
      }
    } else if form.isMessage {
      source.line("if let inner = \(member) { \(property) = \(form.fromC("inner")) }")
    } else {
      source.line("\(property) = \(form.fromC(member))")
    }
  }

  private func writeReadingOneof(_ index: Int, to source: inout SourceText) {
    let oneof = message.oneofs[index]
    let property = "self.\(SwiftNames.quoted(SwiftNames.property(oneof.name)))"
    source.line("switch c.pointee.\(CNames.member(oneof.name))_case.rawValue {")
    for field in message.fields where field.oneofIndex == index {
      let form = FieldForm(field: field, names: names)
      let member = "c.pointee.\(form.member)"
      if form.isMessage {
        source.line("case \(field.number):")
        source.indented {
          $0.line("if let inner = \(member) { \(property) = .\(form.property)(\(form.fromC("inner"))) }")
        }
      } else {
        source.line("case \(field.number): \(property) = .\(form.property)(\(form.fromC(member)))")
      }
    }
    source.line("default: break")
    source.line("}")
  }

  // MARK: to C

  private func writeBuilding(_ field: ProtoField, to source: inout SourceText) {
    let form = FieldForm(field: field, names: names)
    let member = "c.pointee.\(form.member)"
    let property = "self.\(form.property)"
    if field.isRepeated {
      source.block("if !\(property).isEmpty") { source in
        source.line("let list = arena.allocate(\(form.cType).self, count: \(property).count)")
        if let (key, value) = mapForms(field, names: names) {
          writeBuildingMap(form, key: key, value: value, to: &source)
        } else {
          source.block("for (index, value) in \(property).enumerated()") { source in
            source.line("(list + index).initialize(to: \(form.toC("value", in: message)))")
          }
        }
        source.line("\(member) = list")
        source.line("c.pointee.n_\(CNames.member(field.name)) = \(property).count")
      }
    } else if form.isMessage {
      source.line("if let inner = \(property) { \(member) = \(form.toC("inner", in: message)) }")
    } else if field.type == .string || field.type == .bytes {
      source.line("if !\(property).isEmpty { \(member) = \(form.toC(property, in: message)) }")
    } else {
      source.line("\(member) = \(form.toC(property, in: message))")
    }
  }

  /// Entries in the order of their keys: the same value must always give the same bytes.
  private func writeBuildingMap(_ form: FieldForm, key: FieldForm, value: FieldForm, to source: inout SourceText) {
    let order = key.field.type == .bool ? "!$0.key && $1.key" : "$0.key < $1.key"
    let sorted = "self.\(form.property).sorted(by: { \(order) })"
    source.block("for (index, pair) in \(sorted).enumerated()") { source in
      source.line("let entry = arena.allocate(\(CNames.type(form.field.typeName)).self)")
      source.line("\(CNames.functions(form.field.typeName))__init(entry)")
      source.line("entry.pointee.key = \(key.toC("pair.key", in: message))")
      source.line("entry.pointee.value = \(value.toC("pair.value", in: message))")
      source.line("(list + index).initialize(to: entry)")
    }
  }

  private func writeBuildingOneof(_ index: Int, to source: inout SourceText) {
    let oneof = message.oneofs[index]
    source.line("switch self.\(SwiftNames.quoted(SwiftNames.property(oneof.name))) {")
    for field in message.fields where field.oneofIndex == index {
      let form = FieldForm(field: field, names: names)
      source.line("case .\(form.property)(let value)?:")
      source.indented { source in
        source.line("c.pointee.\(CNames.member(oneof.name))_case = .init(rawValue: \(field.number))")
        source.line("c.pointee.\(form.member) = \(form.toC("value", in: message))")
      }
    }
    source.line("case nil: break")
    source.line("}")
  }
}

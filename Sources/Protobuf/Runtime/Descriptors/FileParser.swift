/// Reads one FileDescriptorProto into a pool. Field numbers are those of google/protobuf/descriptor.proto.
struct FileParser {
  /// Field number of mainstay.platform.v1.data_class in FieldOptions.
  static let dataClassOption = 51_001
  /// Field number of mainstay.platform.v1.permission in MethodOptions.
  static let permissionOption = 51_002
  /// Field number of mainstay.platform.v1.bulk in MethodOptions.
  static let bulkOption = 51_003

  var pool: DescriptorPool
  private var messages: [Int] = []
  private var enums: [Int] = []
  private var services: [Int] = []
  private var extends: [ProtoExtension] = []
  private var comments: [[Int]: String] = [:]

  init(pool: DescriptorPool) { self.pool = pool }

  mutating func parse(_ bytes: ArraySlice<UInt8>) throws(WireFailure) {
    var name = ""
    var package = ""
    var dependencies: [String] = []
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      switch (number, value) {
      case (1, .bytes(let text)): name = string(text)
      case (2, .bytes(let text)): package = string(text)
      case (3, .bytes(let text)): dependencies.append(string(text))
      case (9, .bytes(let content)): comments = try sourceComments(content)
      default: break
      }
    }
    var counts = [0, 0, 0]
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      guard case .bytes(let content) = value else { return }
      switch number {
      case 4:
        try message(content, scope: package, parent: nil, path: [4, counts[0]])
        counts[0] += 1
      case 5:
        try enumeration(content, scope: package, parent: nil, path: [5, counts[1]])
        counts[1] += 1
      case 6:
        try service(content, scope: package, path: [6, counts[2]])
        counts[2] += 1
      case 7: try declareExtension(content, scope: package)
      default: break
      }
    }
    var file = ProtoFile(name: name, package: package, dependencies: dependencies, bytes: Array(bytes))
    (file.messages, file.enums, file.services, file.extends) = (messages, enums, services, extends)
    pool.files.append(file)
  }

  private mutating func message(
    _ bytes: ArraySlice<UInt8>, scope: String, parent: String?, path: [Int]
  ) throws(WireFailure) {
    let name = try nameOf(bytes)
    let fullName = qualified(name, in: scope)
    let position = pool.messages.count
    messages.append(position)
    var message = ProtoMessage(fullName: fullName, name: name, parent: parent)
    message.comment = comments[path] ?? ""
    pool.messages.append(message)
    var (nested, enums) = (0, 0)
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      guard case .bytes(let content) = value else { return }
      switch number {
      case 2:
        var field = try self.field(content)
        field.comment = comments[path + [2, message.fields.count]] ?? ""
        message.fields.append(field)
      case 3:
        try self.message(content, scope: fullName, parent: fullName, path: path + [3, nested])
        nested += 1
      case 4:
        try enumeration(content, scope: fullName, parent: fullName, path: path + [4, enums])
        enums += 1
      case 6: try declareExtension(content, scope: fullName)
      case 7: message.isMapEntry = try flag(7, of: content)
      case 8:
        let comment = comments[path + [8, message.oneofs.count]] ?? ""
        message.oneofs.append(ProtoOneof(name: try nameOf(content), comment: comment))
      default: break
      }
    }
    message.fields.sort { $0.number < $1.number }
    pool.messages[position] = message
  }

  private func field(_ bytes: ArraySlice<UInt8>) throws(WireFailure) -> ProtoField {
    var (name, jsonName, typeName) = ("", "", "")
    var (number, label, type, dataClass) = (0, 0, 0, 0)
    var oneofIndex: Int?
    var proto3Optional = false
    try eachField(of: bytes) { (tag, value) throws(WireFailure) in
      switch (tag, value) {
      case (1, .bytes(let text)): name = string(text)
      case (3, .varint(let value)): number = Int(truncatingIfNeeded: value)
      case (4, .varint(let value)): label = Int(truncatingIfNeeded: value)
      case (5, .varint(let value)): type = Int(truncatingIfNeeded: value)
      case (6, .bytes(let text)): typeName = withoutLeadingDot(string(text))
      case (8, .bytes(let options)): dataClass = try self.number(FileParser.dataClassOption, of: options)
      case (9, .varint(let value)): oneofIndex = Int(truncatingIfNeeded: value)
      case (10, .bytes(let text)): jsonName = string(text)
      case (17, .varint(let value)): proto3Optional = value != 0
      default: break
      }
    }
    guard let type = ProtoFieldType(rawValue: type) else { throw WireFailure("field \(name) has an unknown type") }
    return ProtoField(
      name: name, jsonName: jsonName.isEmpty ? lowerCamelCase(name) : jsonName, number: number, type: type,
      typeName: typeName, isRepeated: label == 3, oneofIndex: oneofIndex, isProto3Optional: proto3Optional,
      dataClass: dataClass)
  }

  private mutating func enumeration(
    _ bytes: ArraySlice<UInt8>, scope: String, parent: String?, path: [Int]
  ) throws(WireFailure) {
    let name = try nameOf(bytes)
    var declared = ProtoEnum(fullName: qualified(name, in: scope), name: name, parent: parent)
    declared.comment = comments[path] ?? ""
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      guard number == 2, case .bytes(let content) = value else { return }
      let comment = comments[path + [2, declared.values.count]] ?? ""
      let number = Int32(truncatingIfNeeded: try self.number(2, of: content))
      declared.values.append(ProtoEnumValue(name: try nameOf(content), number: number, comment: comment))
    }
    enums.append(pool.enums.count)
    pool.enums.append(declared)
  }

  private mutating func service(_ bytes: ArraySlice<UInt8>, scope: String, path: [Int]) throws(WireFailure) {
    let name = try nameOf(bytes)
    var service = ProtoService(fullName: qualified(name, in: scope), name: name)
    service.comment = comments[path] ?? ""
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      guard number == 2, case .bytes(let content) = value else { return }
      service.methods.append(try method(content, comment: comments[path + [2, service.methods.count]] ?? ""))
    }
    services.append(pool.services.count)
    pool.services.append(service)
  }

  private func method(_ bytes: ArraySlice<UInt8>, comment: String) throws(WireFailure) -> ProtoMethod {
    var (name, input, output) = ("", "", "")
    var (clientStreaming, serverStreaming) = (false, false)
    var idempotency = 0
    var permission: ProtoMethod.Permission?
    var isBulk = false
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      switch (number, value) {
      case (1, .bytes(let text)): name = string(text)
      case (2, .bytes(let text)): input = withoutLeadingDot(string(text))
      case (3, .bytes(let text)): output = withoutLeadingDot(string(text))
      case (4, .bytes(let options)):
        idempotency = try self.number(34, of: options)
        permission = try self.permission(options)
        isBulk = try self.number(FileParser.bulkOption, of: options) != 0
      case (5, .varint(let value)): clientStreaming = value != 0
      case (6, .varint(let value)): serverStreaming = value != 0
      default: break
      }
    }
    return ProtoMethod(
      name: name, inputType: input, outputType: output, clientStreaming: clientStreaming,
      serverStreaming: serverStreaming, idempotency: .init(rawValue: idempotency) ?? .unknown, permission: permission,
      isBulk: isBulk, comment: comment)
  }

  private func permission(_ options: ArraySlice<UInt8>) throws(WireFailure) -> ProtoMethod.Permission? {
    var permission: ProtoMethod.Permission?
    try eachField(of: options) { (number, value) throws(WireFailure) in
      guard number == FileParser.permissionOption, case .bytes(let content) = value else { return }
      var read = permission ?? ProtoMethod.Permission()
      try eachField(of: content) { (number, value) throws(WireFailure) in
        switch (number, value) {
        case (1, .bytes(let text)): read.roles.append(string(text))
        case (2, .varint(let value)): read.dataClass = Int(truncatingIfNeeded: value)
        case (3, .varint(let value)): read.secondFactor = value != 0
        case (4, .varint(let value)): read.twoPerson = value != 0
        default: break
        }
      }
      permission = read
    }
    return permission
  }

  private mutating func declareExtension(_ bytes: ArraySlice<UInt8>, scope: String) throws(WireFailure) {
    var extendee = ""
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      if number == 2, case .bytes(let text) = value { extendee = withoutLeadingDot(string(text)) }
    }
    let name = qualified(try nameOf(bytes), in: scope)
    extends.append(ProtoExtension(fullName: name, extendee: extendee, number: try number(3, of: bytes)))
  }

  /// Leading comments by path, as SourceCodeInfo has them.
  private func sourceComments(_ bytes: ArraySlice<UInt8>) throws(WireFailure) -> [[Int]: String] {
    var found: [[Int]: String] = [:]
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      guard number == 1, case .bytes(let location) = value else { return }
      var path: [Int] = []
      var comment = ""
      try eachField(of: location) { (number, value) throws(WireFailure) in
        guard case .bytes(let content) = value else { return }
        if number == 3 { comment = string(content) }
        if number == 1 {
          var reader = WireReader(content)
          while !reader.isAtEnd { path.append(Int(truncatingIfNeeded: try reader.varint())) }
        }
      }
      if !comment.isEmpty { found[path] = comment }
    }
    return found
  }

  private func nameOf(_ bytes: ArraySlice<UInt8>) throws(WireFailure) -> String {
    var name = ""
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      if number == 1, case .bytes(let text) = value { name = string(text) }
    }
    return name
  }

  private func flag(_ wanted: Int, of bytes: ArraySlice<UInt8>) throws(WireFailure) -> Bool {
    try number(wanted, of: bytes) != 0
  }

  private func number(_ wanted: Int, of bytes: ArraySlice<UInt8>) throws(WireFailure) -> Int {
    var found = 0
    try eachField(of: bytes) { (number, value) throws(WireFailure) in
      if number == wanted, case .varint(let value) = value { found = Int(truncatingIfNeeded: value) }
    }
    return found
  }
}

/// Calls the body with each field of a message.
func eachField(
  of bytes: ArraySlice<UInt8>, _ body: (Int, WireReader.Value) throws(WireFailure) -> Void
) throws(WireFailure) {
  var reader = WireReader(bytes)
  while let (number, value) = try reader.next() { try body(number, value) }
}

private func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

private func qualified(_ name: String, in scope: String) -> String { scope.isEmpty ? name : "\(scope).\(name)" }

private func withoutLeadingDot(_ name: String) -> String { name.hasPrefix(".") ? String(name.dropFirst()) : name }

/// The JSON name of a field by protobuf's rule: underscores go, the letter behind one becomes a capital.
public func lowerCamelCase(_ name: String) -> String {
  var result = ""
  var capital = false
  for character in name {
    if character == "_" {
      capital = true
    } else {
      result += capital ? character.uppercased() : String(character)
      capital = false
    }
  }
  return result
}

/// All types and services of a FileDescriptorSet, with their options.
public struct DescriptorPool: Sendable {
  /// In the order of the set: each file after those it imports.
  public internal(set) var files: [ProtoFile] = []
  /// All messages, nested ones and map entries included.
  public internal(set) var messages: [ProtoMessage] = []
  /// All enums.
  public internal(set) var enums: [ProtoEnum] = []
  /// All services.
  public internal(set) var services: [ProtoService] = []

  private var messageIndices: [String: Int] = [:]
  private var enumIndices: [String: Int] = [:]
  private var serviceIndices: [String: Int] = [:]
  private var fileIndices: [String: Int] = [:]
  private var fileOfSymbol: [String: Int] = [:]

  /// Reads a serialized google.protobuf.FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it.
  public init(fileDescriptorSet: [UInt8]) throws(WireFailure) {
    var reader = WireReader(fileDescriptorSet)
    while let (number, value) = try reader.next() {
      guard number == 1, case .bytes(let content) = value else { continue }
      var parser = FileParser(pool: self)
      try parser.parse(content)
      self = parser.pool
    }
    index()
    resolve()
  }

  /// The message of this full name.
  public func message(named fullName: String) -> ProtoMessage? { messageIndices[fullName].map { messages[$0] } }
  /// The enum of this full name.
  public func enumeration(named fullName: String) -> ProtoEnum? { enumIndices[fullName].map { enums[$0] } }
  /// The service of this full name.
  public func service(named fullName: String) -> ProtoService? { serviceIndices[fullName].map { services[$0] } }
  /// The file of this name.
  public func file(named name: String) -> ProtoFile? { fileIndices[name].map { files[$0] } }

  /// The method at a gRPC path without the first slash: "mainstay.customer.v1.CustomerService/GetCustomer".
  public func method(at path: String) -> ProtoMethod? {
    guard let slash = path.firstIndex(of: "/") else { return nil }
    let name = path[path.index(after: slash)...]
    return service(named: String(path[..<slash]))?.methods.first { $0.name == name }
  }

  /// The file that declares this full name of a message, field, enum, enum value, service, method or extension.
  public func fileContaining(symbol: String) -> ProtoFile? { fileOfSymbol[symbol].map { files[$0] } }

  /// The file and all that it imports, directly or not; each once and behind what it imports.
  public func fileWithDependencies(_ name: String) -> [ProtoFile] {
    var wanted: Set<String> = []
    var pending = [name]
    while let next = pending.popLast() {
      if wanted.insert(next).inserted, let file = file(named: next) { pending += file.dependencies }
    }
    return files.filter { wanted.contains($0.name) }
  }

  private mutating func index() {
    for (index, file) in files.enumerated() {
      fileIndices[file.name] = index
      for declared in file.extends { fileOfSymbol[declared.fullName] = index }
      for number in file.messages {
        let message = messages[number]
        messageIndices[message.fullName] = number
        fileOfSymbol[message.fullName] = index
        for field in message.fields { fileOfSymbol["\(message.fullName).\(field.name)"] = index }
        for oneof in message.oneofs { fileOfSymbol["\(message.fullName).\(oneof.name)"] = index }
      }
      for number in file.enums {
        let declared = enums[number]
        enumIndices[declared.fullName] = number
        fileOfSymbol[declared.fullName] = index
        // Values are siblings of their enum, as in C++.
        let scope = declared.fullName.dropLast(declared.name.count)
        for value in declared.values { fileOfSymbol["\(scope)\(value.name)"] = index }
      }
      for number in file.services {
        let service = services[number]
        serviceIndices[service.fullName] = number
        fileOfSymbol[service.fullName] = index
        for method in service.methods { fileOfSymbol["\(service.fullName).\(method.name)"] = index }
      }
    }
  }

  /// Fields point to their types by index, now that all are known.
  private mutating func resolve() {
    for message in messages.indices {
      for field in messages[message].fields.indices {
        let declared = messages[message].fields[field]
        switch declared.type {
        case .message:
          messages[message].fields[field].typeIndex = messageIndices[declared.typeName]
          if let type = messageIndices[declared.typeName], messages[type].isMapEntry, declared.isRepeated {
            messages[message].fields[field].isMap = true
          }
        case .enumeration: messages[message].fields[field].typeIndex = enumIndices[declared.typeName]
        default: break
        }
      }
    }
  }
}

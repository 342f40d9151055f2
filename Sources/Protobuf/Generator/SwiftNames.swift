import Protobuf

/// How proto names become Swift names. Types have the short name that the proto gives them; packages whose names would clash
/// have a prefix.
struct SwiftNames {
  /// Prefixes of top-level types and services by package.
  static let prefixes = [
    "google.protobuf": "Google",
    "google.rpc": "RPC",
    "google.type": "Google",
    "grpc.channelz.v1": "Channelz",
    "grpc.health.v1": "",
    "grpc.reflection.v1": "ReflectionV1",
    "grpc.reflection.v1alpha": "ReflectionV1Alpha",
    "grpc.testing": "Testing",
  ]

  /// Types with a name of their own.
  static let exceptions = ["google.type.Date": "CalendarDate"]

  private static let acronyms: [String: String] = ["id": "ID", "ids": "IDs", "url": "URL", "uri": "URI", "usd": "USD"]

  private static let keywords: Set<String> = [
    "associatedtype", "class", "deinit", "enum", "extension", "fileprivate", "func", "import", "init", "inout",
    "internal", "let", "open", "operator", "private", "precedencegroup", "protocol", "public", "rethrows", "static",
    "struct", "subscript", "typealias", "var", "break", "case", "catch", "continue", "default", "defer", "do", "else",
    "fallthrough", "for", "guard", "if", "in", "repeat", "return", "throw", "switch", "where", "while", "Any", "as",
    "await", "false", "is", "nil", "self", "Self", "super", "true", "try", "Type", "Protocol",
  ]

  /// Names that Swift does not take for a member, not even in back quotes.
  private static let unusable: Set<String> = ["self", "init", "Self", "Type", "Protocol"]

  let pool: DescriptorPool
  private let packages: [String: String]

  init(pool: DescriptorPool) {
    self.pool = pool
    var packages: [String: String] = [:]
    for file in pool.files {
      for index in file.messages { packages[pool.messages[index].fullName] = file.package }
      for index in file.enums { packages[pool.enums[index].fullName] = file.package }
      for index in file.services { packages[pool.services[index].fullName] = file.package }
    }
    self.packages = packages
  }

  /// Name of a message or enum with those of the types around it: "HealthCheckResponse.ServingStatus".
  func type(_ fullName: String) -> String {
    if let exception = SwiftNames.exceptions[fullName] { return exception }
    let package = packages[fullName] ?? ""
    let name = package.isEmpty ? fullName : String(fullName.dropFirst(package.count + 1))
    let parts = name.split(separator: ".").map { SwiftNames.unusable.contains(String($0)) ? $0 + "Proto" : String($0) }
    return (SwiftNames.prefixes[package] ?? "") + parts.joined(separator: ".")
  }

  /// Name of a service's Swift types without their ending.
  func service(_ fullName: String) -> String { type(fullName) }

  /// "customer_id" → "customerID".
  static func property(_ protoName: String) -> String {
    let words = protoName.split(separator: "_").map(String.init)
    var name = words.first.map { lowercasedStart($0) } ?? "_"
    for word in words.dropFirst() {
      name += acronyms[word.lowercased()] ?? word.prefix(1).uppercased() + word.dropFirst()
    }
    return unusable.contains(name) ? name + "Value" : name
  }

  /// "message_request" → "MessageRequest".
  static func oneofType(_ protoName: String) -> String {
    let name = property(protoName)
    return name.prefix(1).uppercased() + name.dropFirst()
  }

  /// "SEX_FEMALE" of Sex → "female".
  static func enumValue(_ value: String, of enumName: String) -> String {
    let prefix = upperSnakeCase(enumName) + "_"
    var rest = value.hasPrefix(prefix) ? String(value.dropFirst(prefix.count)) : value
    if rest.first?.isNumber ?? true { rest = value }
    return property(rest.lowercased())
  }

  /// "GetCustomer" → "getCustomer".
  static func method(_ name: String) -> String { lowercasedStart(name) }

  /// In back quotes if Swift needs them.
  static func quoted(_ name: String) -> String { keywords.contains(name) ? "`\(name)`" : name }

  private static func lowercasedStart(_ name: String) -> String {
    let capitals = name.prefix { $0.isUppercase }
    if capitals.count == name.count { return name.lowercased() }
    let count = max(capitals.count > 1 ? capitals.count - 1 : 1, 1)
    return name.prefix(count).lowercased() + name.dropFirst(count)
  }

  private static func upperSnakeCase(_ name: String) -> String {
    var result = ""
    var previousIsLower = false
    for character in name {
      if character.isUppercase, previousIsLower { result += "_" }
      previousIsLower = !character.isUppercase
      result += character.uppercased()
    }
    return result
  }
}

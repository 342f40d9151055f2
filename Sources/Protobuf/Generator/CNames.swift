import Protobuf

/// The names that protoc-c gives to what it generates.
enum CNames {
  private static let keywords: Set<String> = [
    "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "class", "compl",
    "const", "const_cast", "continue", "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit",
    "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
    "not", "not_eq", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "return", "short", "signed", "sizeof", "static", "static_cast", "struct", "switch", "template", "this", "throw",
    "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile",
    "wchar_t", "while", "xor", "xor_eq",
  ]

  /// "mainstay.customer.v1.Party" → "Mainstay__Customer__V1__Party".
  static func type(_ fullName: String) -> String {
    fullName.split(separator: ".").map { camel(String($0)) }.joined(separator: "__")
  }

  /// "mainstay.customer.v1.GetPartyRequest" → "mainstay__customer__v1__get_party_request".
  static func functions(_ fullName: String) -> String {
    fullName.split(separator: ".").map { lower(String($0)) }.joined(separator: "__")
  }

  /// Member of the structure for a field or oneof.
  static func member(_ protoName: String) -> String {
    let name = protoName.lowercased()
    return keywords.contains(name) ? name + "_" : name
  }

  /// The member as Swift must write it behind a dot.
  static func swiftMember(_ protoName: String) -> String {
    let name = member(protoName)
    return name == "init" || name == "self" ? "`\(name)`" : name
  }

  /// protoc-c's rule is that of JSON names, with a capital at the start.
  private static func camel(_ name: String) -> String { lowerCamelCase("_" + name) }

  private static func lower(_ name: String) -> String {
    var result = ""
    var previousIsUpper = true
    for character in name {
      if character.isUppercase, !previousIsUpper { result += "_" }
      result += character.lowercased()
      previousIsUpper = character.isUppercase
    }
    return result
  }
}

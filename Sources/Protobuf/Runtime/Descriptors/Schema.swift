/// A proto file.
public struct ProtoFile: Sendable {
  /// Path as imports name it, for example "mainstay/customer/v1/party.proto".
  public let name: String
  /// For example "mainstay.customer.v1".
  public let package: String
  /// Names of the files that it imports.
  public let dependencies: [String]
  /// Its FileDescriptorProto as it came, custom options included.
  public let bytes: [UInt8]
  /// Indices of its messages in `DescriptorPool.messages`, nested ones behind the message that holds them.
  public internal(set) var messages: [Int] = []
  /// Indices of its enums in `DescriptorPool.enums`, nested ones included.
  public internal(set) var enums: [Int] = []
  /// Indices of its services in `DescriptorPool.services`.
  public internal(set) var services: [Int] = []
  /// Full names of the messages that it extends, for example "google.protobuf.FieldOptions".
  public internal(set) var extends: [ProtoExtension] = []
}

/// A declared extension.
public struct ProtoExtension: Sendable {
  /// Full name.
  public let fullName: String
  /// Full name of the message that is extended.
  public let extendee: String
  /// Field number.
  public let number: Int
}

/// A message type.
public struct ProtoMessage: Sendable {
  /// For example "mainstay.customer.v1.Party".
  public let fullName: String
  /// For example "Party".
  public let name: String
  /// Full name of the message that holds it; nil at the top of a file.
  public let parent: String?
  /// By number.
  public internal(set) var fields: [ProtoField] = []
  /// As declared.
  public internal(set) var oneofs: [ProtoOneof] = []
  /// Whether it is the entry type of a map field.
  public internal(set) var isMapEntry = false
  /// The comment before it, lines as written; empty without source information.
  public internal(set) var comment = ""

  /// The field of this number.
  public func field(number: Int) -> ProtoField? { fields.first { $0.number == number } }
}

/// A oneof.
public struct ProtoOneof: Sendable {
  /// Its name in the proto.
  public let name: String
  /// The comment before it.
  public internal(set) var comment = ""
}

/// What a field holds. Raw values are those of FieldDescriptorProto.Type.
public enum ProtoFieldType: Int, Sendable {
  /// 64-bit floating point; the others below are named like the proto keyword.
  case double = 1
  /// 32-bit floating point.
  case float
  /// Signed, as a varint.
  case int64
  /// Unsigned, as a varint.
  case uint64
  /// Signed, as a varint.
  case int32
  /// Unsigned, eight bytes.
  case fixed64
  /// Unsigned, four bytes.
  case fixed32
  /// True or false.
  case bool
  /// UTF-8 text.
  case string
  /// A message between marks; proto2 only and not supported.
  case group
  /// A message.
  case message
  /// Any bytes.
  case bytes
  /// Unsigned, as a varint.
  case uint32
  /// A number with a name.
  case enumeration
  /// Signed, four bytes.
  case sfixed32
  /// Signed, eight bytes.
  case sfixed64
  /// Signed, as a zigzag varint.
  case sint32
  /// Signed, as a zigzag varint.
  case sint64

  /// Wire type of one value: 0 varint, 1 eight bytes, 2 with a length, 5 four bytes.
  public var wireType: Int {
    switch self {
    case .double, .fixed64, .sfixed64: 1
    case .float, .fixed32, .sfixed32: 5
    case .string, .bytes, .message, .group: 2
    default: 0
    }
  }
}

/// A field of a message.
public struct ProtoField: Sendable {
  /// Its name in the proto.
  public let name: String
  /// Its name in JSON.
  public let jsonName: String
  /// Its number.
  public let number: Int
  /// What it holds.
  public let type: ProtoFieldType
  /// Full name of its message or enum; empty otherwise.
  public let typeName: String
  /// Index of its message in `DescriptorPool.messages` or of its enum in `DescriptorPool.enums`.
  public internal(set) var typeIndex: Int?
  /// Whether it is a list or a map.
  public let isRepeated: Bool
  /// Whether it is a map; its type is then the entry message with the fields key (1) and value (2).
  public internal(set) var isMap = false
  /// Index in the message's oneofs.
  public let oneofIndex: Int?
  /// Whether it is declared `optional` in proto3.
  public let isProto3Optional: Bool
  /// How it must be protected; 0 if the field does not say. Values of mainstay.platform.v1.DataClass.
  public let dataClass: Int
  /// The comment before it.
  public internal(set) var comment = ""
}

/// An enum type.
public struct ProtoEnum: Sendable {
  /// For example "mainstay.customer.v1.Sex".
  public let fullName: String
  /// For example "Sex".
  public let name: String
  /// Full name of the message that holds it; nil at the top of a file.
  public let parent: String?
  /// As declared.
  public internal(set) var values: [ProtoEnumValue] = []
  /// The comment before it.
  public internal(set) var comment = ""
}

/// A value of an enum.
public struct ProtoEnumValue: Sendable {
  /// For example "SEX_FEMALE".
  public let name: String
  /// Its number.
  public let number: Int32
  /// The comment before it.
  public internal(set) var comment = ""
}

/// A service.
public struct ProtoService: Sendable {
  /// For example "mainstay.customer.v1.CustomerService".
  public let fullName: String
  /// For example "CustomerService".
  public let name: String
  /// As declared.
  public internal(set) var methods: [ProtoMethod] = []
  /// The comment before it.
  public internal(set) var comment = ""
}

/// A method of a service.
public struct ProtoMethod: Sendable {
  /// What may be done with a call whose outcome is not known. Raw values as in google.protobuf.MethodOptions.
  public enum Idempotency: Int, Sendable {
    /// Do not send it twice.
    case unknown = 0
    /// Reads only.
    case noSideEffects = 1
    /// May be sent again.
    case idempotent = 2
  }

  /// Mainstay's permission option.
  public struct Permission: Sendable, Equatable {
    /// Roles that may call the method.
    public internal(set) var roles: [String] = []
    /// Highest class of data in its replies. Values of mainstay.platform.v1.DataClass.
    public internal(set) var dataClass = 0
    /// Whether a fresh second factor is needed.
    public internal(set) var secondFactor = false
    /// Whether a second person must approve.
    public internal(set) var twoPerson = false
  }

  /// For example "GetCustomer".
  public let name: String
  /// Full name of the request's message.
  public let inputType: String
  /// Full name of the reply's message.
  public let outputType: String
  /// Whether many requests are sent.
  public let clientStreaming: Bool
  /// Whether many replies are sent.
  public let serverStreaming: Bool
  /// Whether it may be sent again.
  public let idempotency: Idempotency
  /// Who may call it; nil if the method does not say.
  public let permission: Permission?
  /// Whether one call is long or heavy work, by Mainstay's option.
  public let isBulk: Bool
  /// The comment before it.
  public internal(set) var comment = ""
}

import Synchronization

/// The four kinds of calls.
public enum CallKind: Sendable {
  /// One request, one reply.
  case unary
  /// Many requests, one reply.
  case clientStreaming
  /// One request, many replies.
  case serverStreaming
  /// Many of both, in any order.
  case bidirectional

  /// Whether the client sends many requests.
  public var clientStreams: Bool { self == .clientStreaming || self == .bidirectional }
  /// Whether the server sends many replies.
  public var serverStreams: Bool { self == .serverStreaming || self == .bidirectional }
}

/// What may be done with a call whose outcome is not known (google.protobuf.MethodOptions.IdempotencyLevel).
public enum Idempotency: Sendable {
  /// Do not send it twice.
  case unknown
  /// Reads only: may be retried and hedged.
  case noSideEffects
  /// May be retried.
  case idempotent
}

/// How data must be protected; see proto/mainstay/platform/v1/options.proto.
public enum DataClass: Int, Sendable, Comparable {
  /// May be known by anybody.
  case `public` = 1
  /// For members of the company and its partners.
  case `internal` = 2
  /// Phone, e-mail, address, birth date, notes.
  case sensitive = 3
  /// Resident id, passport, bank account, health.
  case confidential = 4

  /// From the least to the most protected.
  public static func < (left: DataClass, right: DataClass) -> Bool { left.rawValue < right.rawValue }
}

/// Who may call a method.
public struct MethodPermission: Sendable, Equatable {
  /// Roles that may; "anyone" stands for every known caller. An administrator always may.
  public let roles: [String]
  /// Highest class of data in its replies.
  public let dataClass: DataClass
  /// Whether a fresh second factor is needed.
  public let secondFactor: Bool
  /// Whether a second person must approve.
  public let twoPerson: Bool

  /// A permission as the method's options say it.
  public init(roles: [String], dataClass: DataClass, secondFactor: Bool, twoPerson: Bool) {
    self.roles = roles
    self.dataClass = dataClass
    self.secondFactor = secondFactor
    self.twoPerson = twoPerson
  }
}

/// A method as its proto declares it. Cheap to copy: each call has it in several places.
public struct MethodDescriptor: Sendable, Equatable {
  private let declaration: MethodDeclaration

  /// Full name of the service, for example "mainstay.customer.v1.CustomerService".
  public var service: String { declaration.service }
  /// Name of the method, for example "GetCustomer".
  public var name: String { declaration.name }
  /// Its kind.
  public var kind: CallKind { declaration.kind }
  /// Whether it may be sent again.
  public var idempotency: Idempotency { declaration.idempotency }
  /// Who may call it; nil denies it to all.
  public var permission: MethodPermission? { declaration.permission }
  /// Full name of the request's message.
  public var requestType: String { declaration.requestType }
  /// Full name of the reply's message.
  public var responseType: String { declaration.responseType }
  /// ":path" on the wire: "/service/method".
  public var path: String { declaration.path }
  /// The same for all declarations of one path in this process, counted from 0: an index for tables. Nil for a path that came
  /// when `maximumNumbers` were given.
  public var number: Int? { declaration.number }
  /// Paths that have a number.
  public static let maximumNumbers = 4_096

  /// A method as its proto declares it.
  public init(
    service: String, name: String, kind: CallKind, idempotency: Idempotency = .unknown,
    permission: MethodPermission? = nil, requestType: String = "", responseType: String = ""
  ) {
    declaration = MethodDeclaration(
      service: service, name: name, kind: kind, idempotency: idempotency, permission: permission,
      requestType: requestType, responseType: responseType)
  }

  /// Whether they were declared in the same words.
  public static func == (left: MethodDescriptor, right: MethodDescriptor) -> Bool {
    let (left, right) = (left.declaration, right.declaration)
    return left === right
      || left.path == right.path && left.kind == right.kind && left.idempotency == right.idempotency
        && left.permission == right.permission && left.requestType == right.requestType
        && left.responseType == right.responseType
  }
}

private let numbers = Mutex<[String: Int]>([:])

private func number(of path: String) -> Int? {
  numbers.withLock { numbers in
    if let number = numbers[path] { return number }
    guard numbers.count < MethodDescriptor.maximumNumbers else { return nil }
    numbers[path] = numbers.count
    return numbers.count - 1
  }
}

private final class MethodDeclaration: Sendable {
  let service: String
  let name: String
  let kind: CallKind
  let idempotency: Idempotency
  let permission: MethodPermission?
  let requestType: String
  let responseType: String
  let path: String
  let number: Int?

  init(
    service: String, name: String, kind: CallKind, idempotency: Idempotency, permission: MethodPermission?,
    requestType: String, responseType: String
  ) {
    self.service = service
    self.name = name
    self.kind = kind
    self.idempotency = idempotency
    self.permission = permission
    self.requestType = requestType
    self.responseType = responseType
    path = "/\(service)/\(name)"
    number = RPCCore.number(of: path)
  }
}

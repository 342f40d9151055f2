import API
import Protobuf
import RPCCore

/// What kind of work the calls of a method are; rates are granted by it.
enum MethodClass: Int, Sendable, CaseIterable, CustomStringConvertible {
  /// Unary calls without side effects.
  case read
  /// All other unary calls.
  case write
  /// Streams, and unary methods that their proto calls so: imports, jobs, reports.
  case bulk

  var description: String {
    switch self {
    case .read: "read"
    case .write: "write"
    case .bulk: "bulk"
    }
  }
}

/// The classes of all methods, by `MethodDescriptor.number`.
struct MethodClasses: Sendable {
  private var unaryBulk: Set<Int> = []

  /// As the options of the protos say.
  init(_ pool: DescriptorPool) {
    for service in pool.services {
      for method in service.methods where method.isBulk {
        let known = MethodDescriptor(service: service.fullName, name: method.name, kind: .unary)
        if let number = known.number { unaryBulk.insert(number) }
      }
    }
  }

  subscript(_ method: MethodDescriptor) -> MethodClass {
    if method.kind != .unary { return .bulk }
    if !unaryBulk.isEmpty, let number = method.number, unaryBulk.contains(number) { return .bulk }
    return method.idempotency == .noSideEffects ? .read : .write
  }
}

extension MethodDescriptor {
  /// Whether its calls wait for news, for hours it may be: they cost a service little, and to break them off costs their callers much.
  var isSubscription: Bool { kind == .serverStreaming && idempotency == .noSideEffects }
}

/// Runs around each call: identity, permission, audit. The order of the list is the order of the calls.
public protocol ServerInterceptor: Sendable {
  /// Answers the call by `next`, or throws to refuse it.
  func intercept(_ call: ServerCall, next: CallHandler) async throws
}

/// Which handler answers which path.
public struct Router: Sendable {
  /// A class, so that what is found is not copied field by field.
  private final class Route: Sendable {
    let path: [UInt8]
    let binding: MethodBinding

    init(path: [UInt8], binding: MethodBinding) {
      self.path = path
      self.binding = binding
    }
  }

  /// By the hash of the path's bytes; seldom more than one has the same.
  private let routes: [Int: [Route]]
  /// Full names of the services that are answered, in order.
  public let services: [String]

  /// Joins bindings and interceptors; of two bindings for one path the later counts.
  public init(_ bindings: [MethodBinding], interceptors: [any ServerInterceptor] = []) {
    var routes: [String: MethodBinding] = [:]
    for binding in bindings {
      var handle = binding.handle
      for interceptor in interceptors.reversed() {
        let next = handle
        handle = { call in try await interceptor.intercept(call, next: next) }
      }
      routes[binding.method.path] = MethodBinding(binding.method, handle)
    }
    self.routes = Dictionary(grouping: routes.map { Route(path: Array($0.utf8), binding: $1) }) { route in
      route.path.withUnsafeBytes { Self.hash($0) }
    }
    services = Set(bindings.map(\.method.service)).sorted()
  }

  /// The binding of a path such as "/grpc.health.v1.Health/Check".
  public func binding(path: String) -> MethodBinding? {
    var path = path
    return path.withUTF8 { binding(path: UnsafeRawBufferPointer($0)) }
  }

  /// The binding of a path as it came: no text is made of it on the way.
  public func binding(path: UnsafeRawBufferPointer) -> MethodBinding? {
    guard let candidates = routes[Self.hash(path)] else { return nil }
    for route in candidates where route.path.count == path.count && path.elementsEqual(route.path) {
      return route.binding
    }
    return nil
  }

  private static func hash(_ path: UnsafeRawBufferPointer) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: path)
    return hasher.finalize()
  }

  /// All methods.
  public var methods: [MethodDescriptor] { routes.values.joined().map(\.binding.method) }

  /// The error for a path that nobody answers: says whether the service or only the method is unknown.
  public func unimplemented(path: String) -> RPCError {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    guard let service = parts.first, parts.count == 2 else {
      return RPCError(.unimplemented, "the path must be /service/method")
    }
    return services.contains(String(service))
      ? RPCError(.unimplemented, "\(service) has no method \(parts[1])")
      : RPCError(.unimplemented, "no service \(service) here")
  }
}

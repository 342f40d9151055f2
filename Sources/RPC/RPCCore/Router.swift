/// Runs around each call: identity, permission, audit. The order of the list is the order of the calls.
public protocol ServerInterceptor: Sendable {
  /// Answers the call by `next`, or throws to refuse it.
  func intercept(_ call: ServerCall, next: CallHandler) async throws
}

/// Which handler answers which path.
public struct Router: Sendable {
  private let routes: [String: MethodBinding]
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
    self.routes = routes
    services = Set(bindings.map(\.method.service)).sorted()
  }

  /// The binding of a path such as "/grpc.health.v1.Health/Check".
  public func binding(path: String) -> MethodBinding? { routes[path] }

  /// All methods.
  public var methods: [MethodDescriptor] { routes.values.map(\.method) }

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

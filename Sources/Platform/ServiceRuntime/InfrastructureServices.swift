import API
import RPCCore

/// What every service has beside its own methods: health, reflection, identity and permission.
public enum InfrastructureServices {
  /// A router with all of it.
  public static func router(
    _ methods: [MethodBinding], health: HealthRegistry, access: AccessMode
  ) throws -> Router {
    let names = Set(methods.map(\.method.service)).union([
      "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
    ])
    let reflection = try ReflectionEndpoint(services: Array(names))
    return Router(
      methods + HealthEndpoint(registry: health).methodBindings + reflection.bindings,
      interceptors: [AccessInterceptor(mode: access)])
  }
}

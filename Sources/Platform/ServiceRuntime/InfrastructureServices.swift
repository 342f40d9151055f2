import API
import RPCCore

/// What every service has beside its own methods: health, reflection, identity and permission.
public enum InfrastructureServices {
  /// A router with all of it. Reflection lists the methods' services, and `listed` for what is answered behind this process.
  public static func router(
    _ methods: [MethodBinding], listed: Set<String> = [], health: HealthRegistry, access: AccessMode
  ) throws -> Router {
    let own = methods + HealthEndpoint(registry: health).methodBindings
    let services = listed.union(own.map(\.method.service)).union(ReflectionEndpoint.names)
    let reflection = try ReflectionEndpoint(services: services)
    return Router(own + reflection.bindings, interceptors: [AccessInterceptor(mode: access)])
  }
}

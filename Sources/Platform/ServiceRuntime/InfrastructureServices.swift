import API
import RPCCore
import RPCTransport

/// What every service has beside its own methods: health, reflection, channel statistics, identity and permission.
public enum InfrastructureServices {
  /// A router with all of it. Reflection lists the methods' services, and `listed` for what is answered behind this process.
  /// The channels are those of `group`; without it there are no statistics.
  public static func router(
    _ methods: [MethodBinding], listed: Set<String> = [], health: HealthRegistry, access: AccessMode,
    identification: CallerIdentification = CallerIdentification(), group: EventLoopGroup? = nil
  ) throws -> Router {
    var own = methods + HealthEndpoint(registry: health).methodBindings
    if let group { own += ChannelzEndpoint(group: group).methodBindings }
    let services = listed.union(own.map(\.method.service)).union(ReflectionEndpoint.names)
    let reflection = try ReflectionEndpoint(services: services)
    return Router(
      own + reflection.bindings, interceptors: [AccessInterceptor(mode: access, identification: identification)])
  }
}

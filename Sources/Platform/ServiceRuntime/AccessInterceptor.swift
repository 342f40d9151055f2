import Identity
import RPCCore

/// Whether permissions are checked.
public enum AccessMode: String, Sendable, CaseIterable {
  /// By the options of the methods, denied by default.
  case checked
  /// Not at all: for tests.
  case `public`
}

/// Finds out who calls and lets in whom the method's options name. Runs before anything of the request is looked at, so a
/// caller without the right does not learn whether a thing exists.
public struct AccessInterceptor: ServerInterceptor {
  private let mode: AccessMode
  private let identification: CallerIdentification

  /// An interceptor for all methods of a service.
  public init(mode: AccessMode, identification: CallerIdentification) {
    (self.mode, self.identification) = (mode, identification)
  }

  /// Lets the call pass or refuses it with UNAUTHENTICATED or PERMISSION_DENIED.
  public func intercept(_ call: ServerCall, next: CallHandler) async throws {
    let identity = identification.identify(call.context)
    if mode == .checked, !call.method.isInfrastructure {
      do throws(AccessRefusal) {
        call.context.caller = try identity.authorized(for: call.method.permission, path: call.method.path)
      } catch {
        identification.refusals.note(
          error.reason, address: call.context.peer.address, method: String(call.method.path.dropFirst()))
        throw error.rpcError
      }
    } else {
      call.context.caller = identity.caller
    }
    try await next(call)
  }
}

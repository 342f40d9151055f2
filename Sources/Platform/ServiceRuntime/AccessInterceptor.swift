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

  /// An interceptor for all methods of a service.
  public init(mode: AccessMode) {
    self.mode = mode
  }

  /// Lets the call pass or refuses it with UNAUTHENTICATED or PERMISSION_DENIED.
  public func intercept(_ call: ServerCall, next: CallHandler) async throws {
    call.context.caller = try AccessInterceptor.caller(call.context)
    if mode == .checked, !call.method.isInfrastructure {
      guard let caller = call.context.caller else {
        throw RPCError(
          .unauthenticated, "this call needs a caller: a client certificate, or one that the gateway has verified")
      }
      guard caller.may(call.method.permission) else {
        throw RPCError(.permissionDenied, "\(caller.name) may not call \(call.method.path.dropFirst())")
      }
    }
    try await next(call)
  }

  private static func caller(_ context: ServerContext) throws(RPCError) -> Caller? {
    guard let certificate = context.peer.certificate else { return nil }
    guard certificate.organizationalUnit == serviceRole, certificate.commonName == gatewayName else {
      return Caller(certificate: certificate)
    }
    // A call that the gateway passes on without a caller has none: it must not count as the gateway's own.
    return CallerMetadata.caller(in: context.metadata, via: gatewayName)
  }
}

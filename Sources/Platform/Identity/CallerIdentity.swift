import RPCCore

/// Who makes a call, as far as it is known.
public enum CallerIdentity: Sendable {
  /// Somebody who has proved it.
  case known(Caller)
  /// The call names nobody.
  case nobody
  /// The call names somebody and does not prove it.
  case refused(AccessRefusal)

  /// The caller, if there is one.
  public var caller: Caller? {
    if case .known(let caller) = self { return caller }
    return nil
  }

  /// The caller, if the permission lets it in. Throws what it lacks.
  public func authorized(
    for permission: MethodPermission?, path: @autoclosure () -> String
  ) throws(AccessRefusal) -> Caller {
    switch self {
    case .known(let caller):
      switch caller.lack(for: permission) {
      case nil: return caller
      case .role: throw AccessRefusal(.role, "\(caller.name) may not call \(path().dropFirst())")
      case .secondFactor:
        throw AccessRefusal(
          .secondFactor,
          "\(path().dropFirst()) needs a second factor: call it with a token that was given for one (amr \"mfa\")")
      }
    case .nobody:
      throw AccessRefusal(
        .noCaller, "this call needs a caller: a token (authorization: Bearer …) or a client certificate")
    case .refused(let refusal): throw refusal
    }
  }
}

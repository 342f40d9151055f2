import AgentDomain
import RPCCore

extension RefusedByState: RPCErrorConvertible {
  /// FAILED_PRECONDITION, with what would be legal.
  public var rpcError: RPCError { RPCError(.failedPrecondition, description) }
}

extension RPCError {
  static func noBranch(_ id: String) -> RPCError { RPCError(.notFound, "no branch \(id)") }
  static func noTeam(_ id: String) -> RPCError { RPCError(.notFound, "no team \(id)") }
  static func noAgent(_ id: String) -> RPCError { RPCError(.notFound, "no agent \(id)") }
}

import API
import Core
import CustomerDomain
import RPCCore
import UseCases

extension RPCError {
  static func noParty(_ id: String) -> RPCError { RPCError(.notFound, "no party \(id)") }
  static func noCustomer(_ id: String) -> RPCError { RPCError(.notFound, "no customer \(id)") }
  static func noPolicy(_ id: String) -> RPCError { RPCError(.notFound, "no policy \(id)") }
}

extension IllegalTransition: RPCErrorConvertible {
  /// FAILED_PRECONDITION, with what would be legal.
  public var rpcError: RPCError { RPCError(.failedPrecondition, description) }
}

extension ImportRow {
  /// `rejected` as the replies tell of it; a refused change of state is a row's fault too.
  static func refused(_ rows: [ImportRow], take: (Candidate) throws -> Void) throws -> [RejectedRow] {
    try rejected(rows) { row in
      do { try take(row) } catch let illegal as IllegalTransition {
        throw InvalidRecord([Violation("state", illegal.description)])
      }
    }.map { RejectedRow(line: $0.line, reason: $0.reason) }
  }
}

import Protobuf

/// Why a call failed: the one error type that crosses the wire.
public struct RPCError: Error, Sendable, CustomStringConvertible {
  /// Never `.ok`.
  public var code: StatusCode
  /// For the person who must act; holds no personal data, since it leaves the process.
  public var message: String
  /// What a program can act on, in google.rpc.Status on the wire.
  public var details: [ErrorDetail]
  /// Trailing metadata that came or goes with it.
  public var metadata: Metadata
  /// What lies behind it. Stays in the process: it is logged and never sent.
  public var cause: (any Error)?

  /// An error to throw from a handler.
  public init(
    _ code: StatusCode, _ message: String, details: [ErrorDetail] = [], metadata: Metadata = .init(),
    cause: (any Error)? = nil
  ) {
    self.code = code == .ok ? .unknown : code
    self.message = message
    self.details = details
    self.metadata = metadata
    self.cause = cause
  }

  /// INVALID_ARGUMENT that lists every bad field as google.rpc.BadRequest.
  public static func badRequest(_ violations: [FieldViolation]) -> RPCError {
    let message = violations.map { "\($0.field): \($0.description)" }.joined(separator: "; ")
    return RPCError(.invalidArgument, message, details: [.badRequest(violations)])
  }

  /// "NOT_FOUND: no customer cus_…".
  public var description: String { "\(code): \(message)" }
}

/// An error that knows which status it is for a caller. Other errors become INTERNAL with a message that tells nothing.
public protocol RPCErrorConvertible: Error {
  /// The status for the caller.
  var rpcError: RPCError { get }
}

extension RPCError {
  /// The status for any error that a handler throws.
  public init(converting error: any Error) {
    switch error {
    case let error as RPCError: self = error
    case let error as any RPCErrorConvertible: self = error.rpcError
    case is CancellationError: self.init(.cancelled, "the call was cancelled")
    case let error as DecodingFailure: self = .badRequest([FieldViolation(decoding: error)])
    default: self.init(.internal, "internal error; the service's log has the cause", cause: error)
    }
  }
}

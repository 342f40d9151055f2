import Core
import Protobuf
import RPCCore

/// An error as the Connect protocol has it: an HTTP status, and JSON with the code, the message and the details.
enum ConnectError {
  /// The HTTP status that the protocol gives a code.
  static func httpStatus(_ code: StatusCode) -> Int {
    switch code {
    case .ok: 200
    case .cancelled: 499
    case .invalidArgument, .failedPrecondition, .outOfRange: 400
    case .unauthenticated: 401
    case .permissionDenied: 403
    case .notFound: 404
    case .alreadyExists, .aborted: 409
    case .resourceExhausted: 429
    case .unknown, .internal, .dataLoss: 500
    case .unimplemented: 501
    case .unavailable: 503
    case .deadlineExceeded: 504
    }
  }

  /// The name that the protocol gives a code.
  static func name(_ code: StatusCode) -> String { code == .cancelled ? "canceled" : code.description.lowercased() }

  /// The body of the reply. Details whose type is known stand there in words too, under "debug".
  static func json(_ error: RPCError, _ transcoder: JSONTranscoder) -> String {
    var json = "{\"code\":\(jsonString(name(error.code)))"
    if !error.message.isEmpty { json += ",\"message\":\(jsonString(error.message))" }
    if !error.details.isEmpty {
      let details = error.details.map { detail in
        let debug = (try? transcoder.decode(detail.value, as: detail.typeName)).map { ",\"debug\":\($0)" } ?? ""
        let value = Base64.encode(detail.value, padded: false)
        return "{\"type\":\(jsonString(detail.typeName)),\"value\":\(jsonString(value))\(debug)}"
      }
      json += ",\"details\":[\(details.joined(separator: ","))]"
    }
    return json + "}"
  }
}

extension RPCError {
  /// HTTP's retry-after, where the error says when to try again: whole seconds, rounded up.
  var retryAfterSeconds: Int? {
    metadata.first(RetryHint.pushback).flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 / 1_000 + ($0 % 1_000).signum() }
  }
}

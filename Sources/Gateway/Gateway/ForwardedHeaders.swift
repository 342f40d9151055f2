import RPCCore
import RPCTransport
import ServiceRuntime

/// What the gateway must know of a call's headers, found in one look at them.
struct CallHeaders {
  private(set) var isPost = false
  private(set) var isGRPC = false
  private(set) var path = ""
  /// Which service is meant, of those that all have the method.
  private(set) var service: String?
  private(set) var timeoutNanoseconds: UInt64?
  /// Where the client's call belongs, if it said so.
  private(set) var trace: TraceContext?
  /// Value of "authorization"; empty, which is none that counts, if it stands more than once.
  private(set) var authorization: [UInt8]?

  init(_ headers: HeaderBlock) {
    headers.forEach { name, value in
      switch name.count {
      case 5 where name.equals(":path"): path = String(decoding: value, as: UTF8.self)
      case 7 where name.equals(":method"): isPost = value.equals("POST")
      case 11 where name.equals(TraceContext.headerName): trace = TraceContext(header: value)
      case 12 where name.equals("content-type"): isGRPC = HeaderBlock.isGRPC(contentType: value)
      case 12 where name.equals("grpc-timeout"):
        timeoutNanoseconds = GRPCTimeout.nanoseconds(String(decoding: value, as: UTF8.self))
      case 13 where name.equals("authorization"): authorization = authorization == nil ? Array(value) : []
      case 16 where name.equals("mainstay-service"): service = String(decoding: value, as: UTF8.self)
      default: break
      }
    }
  }
}

extension HeaderBlock {
  /// The headers with another time for the call; themselves if there is none.
  func withTimeout(_ nanoseconds: UInt64?) -> HeaderBlock {
    guard let nanoseconds else { return self }
    var headers = without(prefix: "grpc-timeout")
    headers.append(once: "grpc-timeout", GRPCTimeout.format(nanoseconds: nanoseconds))
    return headers
  }

  /// The headers of an attempt that so many others came before; those that the caller counts come on top.
  func afterAttempts(_ count: Int) -> HeaderBlock {
    guard count > 0 else { return self }
    var headers = without(prefix: "grpc-previous-rpc-attempts")
    headers.append("grpc-previous-rpc-attempts", String(count))
    return headers
  }

  /// What grpc-status says.
  var statusCode: StatusCode {
    first("grpc-status").flatMap { Int($0) }.flatMap(StatusCode.init) ?? .unknown
  }

  /// The headers for the service: who calls, by the gateway's word and nobody else's, and where the call belongs.
  /// What vendors have added belongs to the trace that the client named: with a new one it is left out.
  func forwarded(for caller: Caller?, _ trace: TraceContext, isContinued: Bool) -> HeaderBlock {
    var headers = without(prefix: "mainstay-caller").without(prefix: TraceContext.headerName)
    if !isContinued { headers = headers.without(prefix: "tracestate") }
    trace.withHeader { headers.append(once: TraceContext.headerName, $0) }
    if let caller {
      headers.append(CallerMetadata.name, caller.name)
      for role in caller.roles { headers.append(CallerMetadata.role, role) }
      if caller.hasSecondFactor { headers.append(CallerMetadata.secondFactor, "yes") }
    }
    return headers
  }
}

/// How a call ended, as gRPC numbers it (grpc/doc/statuscodes.md).
public enum StatusCode: Int, Sendable, CaseIterable, CustomStringConvertible {
  /// Done.
  case ok = 0
  /// The caller gave up.
  case cancelled = 1
  /// An error of a kind that nobody foresaw.
  case unknown = 2
  /// The request is wrong whatever the state of the system.
  case invalidArgument = 3
  /// Time ran out; the work may have been done.
  case deadlineExceeded = 4
  /// There is no such thing.
  case notFound = 5
  /// It is there already.
  case alreadyExists = 6
  /// The caller is known and may not.
  case permissionDenied = 7
  /// A limit is reached; try later or smaller.
  case resourceExhausted = 8
  /// The state of the system forbids it.
  case failedPrecondition = 9
  /// Somebody else was faster: read again, then try again.
  case aborted = 10
  /// Beyond what is there.
  case outOfRange = 11
  /// No such method.
  case unimplemented = 12
  /// A fault of ours.
  case `internal` = 13
  /// Not reachable now; try again.
  case unavailable = 14
  /// Data are lost or damaged.
  case dataLoss = 15
  /// The caller is not known.
  case unauthenticated = 16

  /// The name that gRPC gives the code, for example "NOT_FOUND".
  public var description: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

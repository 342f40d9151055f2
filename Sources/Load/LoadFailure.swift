import Glibc
import RPCCore
import RPCReflection
import RPCTransport

/// Why nothing was measured: what the person reads, and the exit code.
struct LoadFailure: Error {
  /// One line.
  let message: String
  /// 1 failed, 2 wrong usage.
  let code: Int32

  /// The work failed.
  init(_ message: String) {
    self.message = message
    code = 1
  }

  private init(_ message: String, code: Int32) {
    self.message = message
    self.code = code
  }

  /// The options or a file are wrong: nothing was called.
  static func usage(_ message: String) -> LoadFailure { LoadFailure(message, code: 2) }

  /// Any error that has a line for a person; nil for those of the argument parser.
  init?(explaining error: any Error) {
    switch error {
    case let failure as LoadFailure: self = failure
    case let failure as MethodLookupFailure: self.init(failure.message, code: failure.isUsage ? 2 : 1)
    case let error as RPCError: self.init(error.description)
    case let error as TransportError: self.init(error.description)
    case is CancellationError: self.init("cancelled")
    default: return nil
    }
  }
}

/// What went wrong in the last system call.
func systemReason() -> String { String(cString: strerror(errno)) }

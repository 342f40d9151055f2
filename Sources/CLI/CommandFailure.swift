import RPCCore
import RPCReflection
import RPCTransport

/// Why a command ends without having done its work: what the person reads, and the exit code.
struct CommandFailure: Error {
  /// One line, more only where each names one more fault.
  let message: String
  /// 1 failed, 2 bad usage.
  let code: Int32

  /// The work failed.
  init(_ message: String) {
    self.message = "mainstay: \(message)"
    code = 1
  }

  /// The command, a configuration or a mapping is wrong: nothing was done.
  static func usage(_ message: String) -> CommandFailure {
    CommandFailure(verbatim: "mainstay: \(message)", code: 2)
  }

  /// The status of a call, with each bad field on a line of its own.
  init(_ error: RPCError) {
    let violations = error.details.filter { $0.typeName == "google.rpc.BadRequest" }.flatMap(StatusDetails.violations)
    guard !violations.isEmpty else {
      self.init(verbatim: "\(error.code): \(error.message)", code: 1)
      return
    }
    let lines = violations.map { $0.field.isEmpty ? "  \($0.description)" : "  \($0.field): \($0.description)" }
    let count = violations.count == 1 ? "a field is wrong" : "\(violations.count) fields are wrong"
    self.init(verbatim: (["\(error.code): \(count)"] + lines).joined(separator: "\n"), code: 1)
  }

  /// Any error that has a line for a person; nil for those of the argument parser.
  init?(explaining error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as RPCError: self.init(error)
    case let error as TransportError: self.init(error.description)
    case let failure as MethodLookupFailure:
      self = failure.isUsage ? .usage(failure.message) : CommandFailure(failure.message)
    case is CancellationError: self.init("cancelled")
    default: return nil
    }
  }

  private init(verbatim message: String, code: Int32) {
    self.message = message
    self.code = code
  }
}

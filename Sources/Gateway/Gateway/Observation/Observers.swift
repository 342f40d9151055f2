import Logging
import RPCCore
import RPCTransport

/// Who hears of each call that has ended, beside the metrics.
struct Observers: Sendable {
  /// Nil if none is kept.
  var accessLog: AccessLog?
  /// Nil if no call is called slow.
  var slowCalls: SlowCallLog?

  /// `record` is asked for only where somebody wants to know more.
  func ended(
    _ method: MethodDescriptor?, _ code: StatusCode, nanoseconds: UInt64, _ record: () -> CallRecord
  ) {
    accessLog?.record(record())
    slowCalls?.ended(method, code, nanoseconds: nanoseconds) {
      let call = record()
      return [
        "trace_id": .string(call.trace.traceID), "upstream": "\(call.upstream ?? "-")", "attempts": "\(call.attempts)",
      ]
    }
  }
}

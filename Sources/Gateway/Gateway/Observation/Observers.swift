import Logging
import RPCTransport

/// Who hears of each call that has ended, beside the metrics.
struct Observers: Sendable {
  /// Nil if none is kept.
  var accessLog: AccessLog?
  /// Nil if no call is called slow.
  var slowCalls: SlowCallLog?

  func ended(_ call: CallRecord) {
    accessLog?.record(call)
    slowCalls?.ended(call.method, call.code, nanoseconds: call.nanoseconds) {
      ["trace_id": .string(call.trace.traceID), "upstream": "\(call.upstream ?? "-")", "attempts": "\(call.attempts)"]
    }
  }
}

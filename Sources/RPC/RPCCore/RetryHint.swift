/// How a caller that was refused for want of room is told when to come again.
public enum RetryHint {
  /// Metadata that gRPC's clients heed when they retry by themselves (gRFC A6).
  public static let pushback = "grpc-retry-pushback-ms"
}

extension RPCError {
  /// RESOURCE_EXHAUSTED with the time after which to try again, as google.rpc.RetryInfo and as metadata for gRPC's own retries. The
  /// time is rounded up to whole milliseconds.
  public static func comeBack(
    afterNanoseconds delay: UInt64, _ message: String, details: [ErrorDetail] = []
  ) -> RPCError {
    let milliseconds = max(1, delay / 1_000_000 + (delay % 1_000_000 == 0 ? 0 : 1))
    var metadata = Metadata()
    metadata.add(RetryHint.pushback, String(milliseconds))
    return RPCError(
      .resourceExhausted, "\(message); try again in \(milliseconds) ms",
      details: [.retryInfo(afterMilliseconds: milliseconds)] + details, metadata: metadata)
  }
}

extension ErrorDetail {
  /// google.rpc.RetryInfo.
  public static func retryInfo(afterMilliseconds milliseconds: UInt64) -> ErrorDetail {
    var duration: [UInt8] = []
    appendNumber(1, milliseconds / 1_000, to: &duration)
    appendNumber(2, milliseconds % 1_000 * 1_000_000, to: &duration)
    var bytes: [UInt8] = []
    appendField(1, duration, to: &bytes)
    return ErrorDetail(typeName: "google.rpc.RetryInfo", value: bytes)
  }

  /// google.rpc.QuotaFailure with one violation: whose limit, and which.
  public static func quotaFailure(subject: String, _ description: String) -> ErrorDetail {
    var violation: [UInt8] = []
    appendField(1, Array(subject.utf8), to: &violation)
    appendField(2, Array(description.utf8), to: &violation)
    var bytes: [UInt8] = []
    appendField(1, violation, to: &bytes)
    return ErrorDetail(typeName: "google.rpc.QuotaFailure", value: bytes)
  }
}

/// Where a call belongs in a distributed trace: the header `traceparent` of W3C Trace Context. Whoever passes a call on keeps the
/// trace and names its own span.
public struct TraceContext: Sendable, Equatable {
  /// Name of the header.
  public static let headerName: StaticString = "traceparent"
  /// Characters of a header of version 00: "00-", 32 of the trace, "-", 16 of the span, "-", 2 of the flags.
  public static let headerLength = 55

  /// The trace's 128 bits, never all zero.
  public let traceHigh: UInt64
  /// Their lower half.
  public let traceLow: UInt64
  /// Who made the call within the trace; never zero.
  public let span: UInt64
  /// Whether the caller has recorded the trace, and what else a header's last byte says.
  public let flags: UInt8

  /// A place in a trace. Zeros, which the standard forbids, become ones.
  public init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
    self.traceHigh = traceHigh
    self.traceLow = traceHigh | traceLow == 0 ? 1 : traceLow
    self.span = span == 0 ? 1 : span
    self.flags = flags
  }

  /// What a header says; nil if that is not a valid one. Later versions are read as far as version 00 goes.
  public init?(header: UnsafeRawBufferPointer) {
    guard header.count >= TraceContext.headerLength, header[2] == dash, header[35] == dash, header[52] == dash,
      let version = header.hexadecimal(at: 0, count: 2), version != 0xFF,
      header.count == TraceContext.headerLength || version > 0 && header[55] == dash,
      let high = header.hexadecimal(at: 3, count: 16), let low = header.hexadecimal(at: 19, count: 16), high | low != 0,
      let span = header.hexadecimal(at: 36, count: 16), span != 0, let flags = header.hexadecimal(at: 53, count: 2)
    else { return nil }
    self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(truncatingIfNeeded: flags))
  }

  /// The same trace, with another maker of the call.
  public func within(span: UInt64) -> TraceContext {
    TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: span, flags: flags)
  }

  /// The trace in 32 hexadecimal digits, as logs name it.
  public var traceID: String {
    String(unsafeUninitializedCapacity: 32) { write(trace: UnsafeMutableRawBufferPointer($0)) }
  }

  /// Writes the trace's 32 digits; returns how many.
  @discardableResult
  public func write(trace buffer: UnsafeMutableRawBufferPointer) -> Int {
    buffer.write(traceHigh, at: 0, digits: 16)
    buffer.write(traceLow, at: 16, digits: 16)
    return 32
  }

  /// Calls `body` with the header's value in version 00.
  public func withHeader<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withUnsafeTemporaryAllocation(byteCount: TraceContext.headerLength, alignment: 1) { buffer in
      buffer.write(0, at: 0, digits: 2)
      buffer.write(traceHigh, at: 3, digits: 16)
      buffer.write(traceLow, at: 19, digits: 16)
      buffer.write(span, at: 36, digits: 16)
      buffer.write(UInt64(flags), at: 53, digits: 2)
      for place in [2, 35, 52] { buffer[place] = dash }
      return body(UnsafeRawBufferPointer(buffer))
    }
  }
}

private let dash = UInt8(ascii: "-")

extension UnsafeRawBufferPointer {
  /// The number in lower-case hexadecimal digits; nil if there is anything else.
  fileprivate func hexadecimal(at place: Int, count: Int) -> UInt64? {
    var number: UInt64 = 0
    for index in place..<place + count {
      let digit: UInt8
      switch self[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = self[index] - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = self[index] - UInt8(ascii: "a") + 10
      default: return nil
      }
      number = number << 4 | UInt64(digit)
    }
    return number
  }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func write(_ number: UInt64, at place: Int, digits: Int) {
    var rest = number
    for index in stride(from: place + digits - 1, through: place, by: -1) {
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      self[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
      rest >>= 4
    }
  }
}

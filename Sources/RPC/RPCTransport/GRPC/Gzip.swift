import CZlib
import RPCCore

/// Messages in gzip (RFC 1952), by zlib. Nothing is kept between messages: a state would cost each call up to 300 KiB.
enum Gzip {
  /// The content of a message. RESOURCE_EXHAUSTED beyond the limit, where inflating stops; INTERNAL if it is not gzip. An empty
  /// message is one also when it is said to be compressed.
  static func inflate(_ message: [UInt8], maximumBytes: Int) throws(RPCError) -> [UInt8] {
    let inflation = Inflation(message, maximumBytes: maximumBytes)
    while try !inflation.advance() {}
    return inflation.content
  }

  /// A framed message compressed, with its prefix; nil if that makes it no smaller.
  static func deflate(framed: [UInt8]) -> [UInt8]? {
    let deflation = Deflation(framed: framed)
    while !deflation.advance() {}
    return deflation.frame
  }
}

/// A message on its way through zlib.
class ZlibMessage {
  /// zlib keeps the address of its stream, so it gets one that stays.
  fileprivate let stream: UnsafeMutablePointer<z_stream>
  fileprivate let input: [UInt8]
  /// Bytes of the input that zlib has taken.
  fileprivate var taken: Int

  fileprivate init(_ input: [UInt8], from taken: Int) {
    self.input = input
    self.taken = taken
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
  }

  deinit { stream.deallocate() }

  /// Has zlib work on the input up to an end, and gives how many bytes it wrote.
  fileprivate func run(
    to end: Int, into output: UnsafeMutableBufferPointer<UInt8>, _ work: (UnsafeMutablePointer<z_stream>) -> Int32
  ) -> (result: Int32, count: Int) {
    input.withUnsafeBufferPointer { input in
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.advanced(by: taken))
      stream.pointee.avail_in = UInt32(end - taken)
      stream.pointee.next_out = output.baseAddress
      stream.pointee.avail_out = UInt32(output.count)
      let result = work(stream)
      taken = end - Int(stream.pointee.avail_in)
      return (result, output.count - Int(stream.pointee.avail_out))
    }
  }
}

/// A message that is inflated, a piece at a time.
final class Inflation: ZlibMessage {
  /// Inflated at once; beyond the limit by no more than this.
  private static let chunkBytes = 16_384

  /// What there is of the content.
  private(set) var content: [UInt8] = []
  private let maximumBytes: Int
  private var isReady = false

  init(_ message: [UInt8], maximumBytes: Int) {
    self.maximumBytes = maximumBytes
    super.init(message, from: 0)
    isReady = mainstay_inflate_begin(stream) == Z_OK
  }

  deinit { if isReady { inflateEnd(stream) } }

  /// Adds the next `largeMessageBytes` or so; true when that was all.
  func advance() throws(RPCError) -> Bool {
    if input.isEmpty { return true }
    guard isReady else { throw RPCError(.internal, "zlib has no memory") }
    let enough = min(maximumBytes + 1, content.count + largeMessageBytes)
    let result = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Inflation.chunkBytes) { chunk -> Int32 in
      var result = Z_OK
      while result == Z_OK, content.count < enough {
        let done = run(to: input.count, into: chunk) { CZlib.inflate($0, Z_NO_FLUSH) }
        content.append(contentsOf: chunk[..<done.count])
        result = done.result
      }
      return result
    }
    guard content.count <= maximumBytes else {
      throw RPCError(
        .resourceExhausted, "a compressed message holds more than the \(maximumBytes) bytes that are taken")
    }
    if result == Z_OK { return false }
    guard result == Z_STREAM_END, taken == input.count else {
      throw RPCError(.internal, "a message said to be compressed is not gzip, or is damaged")
    }
    return true
  }
}

/// A framed message that is compressed, a piece at a time.
final class Deflation: ZlibMessage {
  /// The fastest: a wire that is not the bottleneck gains little from the others.
  private static let level = Z_BEST_SPEED

  /// The compressed message with its prefix, at the end; nil if that makes it no smaller.
  private(set) var frame: [UInt8]?
  private var output: [UInt8]
  private var count = framePrefixLength
  private var isReady = false

  init(framed: [UInt8]) {
    output = [UInt8](repeating: 0, count: max(framePrefixLength, framed.count - 1))
    super.init(framed, from: min(framePrefixLength, framed.count))
    // A window no larger than the message: zlib's own memory is what a small one costs most.
    let length = framed.count - taken
    let windowBits = Int32(min(15, max(9, Int.bitWidth - length.leadingZeroBitCount)))
    isReady = length > 0 && mainstay_deflate_begin(stream, Deflation.level, windowBits, windowBits - 7) == Z_OK
  }

  deinit { if isReady { deflateEnd(stream) } }

  /// Takes the next `largeMessageBytes`; true when that was all, or nothing is won by going on.
  func advance() -> Bool {
    guard isReady else { return true }
    let end = min(input.count, taken + largeMessageBytes)
    let flush = end == input.count ? Z_FINISH : Z_NO_FLUSH
    let done = output.withUnsafeMutableBufferPointer { output in
      run(to: end, into: UnsafeMutableBufferPointer(rebasing: output[count...])) { CZlib.deflate($0, flush) }
    }
    count += done.count
    if flush == Z_NO_FLUSH, done.result == Z_OK, taken == end { return false }
    guard done.result == Z_STREAM_END else { return true }
    output.removeLast(output.count - count)
    setFramePrefix(&output, flag: 1)
    frame = output
    output = []
    return true
  }
}

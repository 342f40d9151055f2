import CZlib
import RPCCore

/// Messages in gzip (RFC 1952), by zlib. Nothing is kept between messages: a state would cost each call up to 300 KiB.
enum Gzip {
  /// The fastest: a wire that is not the bottleneck gains little from the others.
  private static let level = Z_BEST_SPEED
  /// Inflated at once; beyond the limit by no more than this.
  private static let chunkBytes = 16_384

  /// The content of a message. RESOURCE_EXHAUSTED beyond the limit, where inflating stops; INTERNAL if it is not gzip. An empty
  /// message is one also when it is said to be compressed.
  static func inflate(_ message: [UInt8], maximumBytes: Int) throws(RPCError) -> [UInt8] {
    guard !message.isEmpty else { return [] }
    let result = message.withUnsafeBytes { input in
      withStream(input) { stream -> Result<[UInt8], RPCError> in
        guard mainstay_inflate_begin(stream) == Z_OK else { return .failure(RPCError(.internal, "zlib has no memory")) }
        defer { inflateEnd(stream) }
        do throws(RPCError) { return .success(try inflate(stream, maximumBytes)) } catch { return .failure(error) }
      }
    }
    return try result.get()
  }

  private static func inflate(
    _ stream: UnsafeMutablePointer<z_stream>, _ maximumBytes: Int
  ) throws(RPCError) -> [UInt8] {
    var content: [UInt8] = []
    let result = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: chunkBytes) { chunk -> Int32 in
      var result = Z_OK
      while result == Z_OK, content.count <= maximumBytes {
        stream.pointee.next_out = chunk.baseAddress
        stream.pointee.avail_out = UInt32(chunk.count)
        result = CZlib.inflate(stream, Z_NO_FLUSH)
        content.append(contentsOf: chunk[..<(chunk.count - Int(stream.pointee.avail_out))])
      }
      return result
    }
    guard content.count <= maximumBytes else {
      throw RPCError(
        .resourceExhausted, "a compressed message holds more than the \(maximumBytes) bytes that are taken")
    }
    guard result == Z_STREAM_END, stream.pointee.avail_in == 0 else {
      throw RPCError(.internal, "a message said to be compressed is not gzip, or is damaged")
    }
    return content
  }

  /// A framed message compressed, with its prefix; nil if that makes it no smaller.
  static func deflate(framed: [UInt8]) -> [UInt8]? {
    let length = framed.count - framePrefixLength
    guard length > 0 else { return nil }
    // A window no larger than the message: zlib's own memory is what a small one costs most.
    let windowBits = Int32(min(15, max(9, Int.bitWidth - length.leadingZeroBitCount)))
    var compressed = [UInt8](unsafeUninitializedCapacity: framed.count) { output, count in
      count = framed.withUnsafeBytes { input in
        withStream(UnsafeRawBufferPointer(rebasing: input[framePrefixLength...])) { stream in
          guard mainstay_deflate_begin(stream, level, windowBits, windowBits - 7) == Z_OK else { return 0 }
          defer { deflateEnd(stream) }
          stream.pointee.next_out = output.baseAddress?.advanced(by: framePrefixLength)
          stream.pointee.avail_out = UInt32(length)
          guard CZlib.deflate(stream, Z_FINISH) == Z_STREAM_END else { return 0 }
          output.prefix(framePrefixLength).initialize(repeating: 0)
          return framed.count - Int(stream.pointee.avail_out)
        }
      }
    }
    guard !compressed.isEmpty else { return nil }
    setFramePrefix(&compressed, flag: 1)
    return compressed
  }

  /// zlib keeps the address of its stream, so it gets one that stays.
  private static func withStream<Value>(
    _ input: UnsafeRawBufferPointer, _ body: (UnsafeMutablePointer<z_stream>) -> Value
  ) -> Value {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
    stream.pointee.avail_in = UInt32(input.count)
    return body(stream)
  }
}

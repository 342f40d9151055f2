/// Finds the headers of frames in the bytes that a client sends (RFC 9113, 4.1), however they are cut. nghttp2 tells nothing of
/// frames that it ignores. A pure value that keeps at most one header.
struct FrameScanner {
  /// What stands before a frame's payload.
  struct Header: Equatable {
    var length: Int
    var type: UInt8
    var flags: UInt8
    var stream: Int32
  }

  private static let headerBytes = 9
  /// Bytes of the client's preface.
  private static let prefaceBytes = 24

  private var skip = FrameScanner.prefaceBytes
  private var partial: UInt64 = 0
  private var lastByte: UInt8 = 0
  private var count = 0

  /// Calls `body` with each header whose last byte is among these.
  mutating func scan(_ bytes: UnsafeRawBufferPointer, _ body: (Header) -> Void) {
    var position = 0
    while position < bytes.count {
      if skip > 0 {
        let step = min(skip, bytes.count - position)
        skip -= step
        position += step
        continue
      }
      if count == 0, bytes.count - position >= FrameScanner.headerBytes {
        partial = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        lastByte = bytes[position + 8]
        position += FrameScanner.headerBytes
      } else {
        if count < 8 { partial = partial << 8 | UInt64(bytes[position]) } else { lastByte = bytes[position] }
        count += 1
        position += 1
        guard count == FrameScanner.headerBytes else { continue }
      }
      let header = current
      (count, partial) = (0, 0)
      skip = header.length
      body(header)
    }
  }

  private var current: Header {
    Header(
      length: Int(partial >> 40), type: UInt8(truncatingIfNeeded: partial >> 32),
      flags: UInt8(truncatingIfNeeded: partial >> 24),
      stream: Int32(truncatingIfNeeded: (partial & 0x7F_FFFF) << 8 | UInt64(lastByte)))
  }
}

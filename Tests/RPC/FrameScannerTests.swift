import Testing

@testable import RPCTransport

@Suite("Headers of frames in a stream of bytes")
struct FrameScannerTests {
  @Test("Any cutting of the stream finds the same headers", arguments: 1...40)
  func cuts(_ size: Int) {
    let headers = [
      FrameScanner.Header(length: 18, type: 4, flags: 0, stream: 0),
      FrameScanner.Header(length: 0, type: 4, flags: 1, stream: 0),
      FrameScanner.Header(length: 16_384, type: 0, flags: 1, stream: 0x7FFF_FFFF),
      FrameScanner.Header(length: 1, type: 1, flags: 5, stream: 0x0102_0304),
      FrameScanner.Header(length: 4, type: 8, flags: 0, stream: 3),
    ]
    var bytes = [UInt8](repeating: 0x50, count: 24)
    for header in headers {
      bytes += [16, 8, 0].map { UInt8(truncatingIfNeeded: header.length >> $0) } + [header.type, header.flags]
      bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: header.stream >> $0) }
      bytes += [UInt8](repeating: 0xFF, count: header.length)
    }
    var scanner = FrameScanner()
    var found: [FrameScanner.Header] = []
    var position = 0
    while position < bytes.count {
      let end = min(position + size, bytes.count)
      bytes[position..<end].withUnsafeBytes { scanner.scan($0) { found.append($0) } }
      position = end
    }
    #expect(found == headers)
  }
}

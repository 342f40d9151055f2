import Glibc
import Testing

@testable import RPCTransport

/// What TLS writes, on its way to a real socket.
@Suite struct TLSOutputTests {
  @Test func `A record that is not gathered goes at once`() throws {
    try withOutput { output, peer in
      #expect(take([1, 2, 3], into: output) == 3)
      #expect(peer.read() == [1, 2, 3])
    }
  }

  @Test func `Gathered records go together, in order, when they are flushed`() throws {
    try withOutput { output, peer in
      output.gather()
      for number in 0..<4 { #expect(take([UInt8](repeating: UInt8(number), count: 100), into: output) == 100) }
      #expect(peer.read().isEmpty)
      #expect(output.flush())
      #expect(peer.read() == (0..<4).flatMap { [UInt8](repeating: UInt8($0), count: 100) })
      // It is over with the flush.
      #expect(take([9], into: output) == 1)
      #expect(peer.read() == [9])
    }
  }

  @Test func `Records that find no room send what is gathered first`() throws {
    try withOutput(space: 250) { output, peer in
      output.gather()
      for number in 0..<3 { #expect(take([UInt8](repeating: UInt8(number), count: 100), into: output) == 100) }
      #expect(peer.read() == (0..<2).flatMap { [UInt8](repeating: UInt8($0), count: 100) })
      // Larger than the space: it goes by itself, after the others.
      #expect(take([UInt8](repeating: 7, count: 300), into: output) == 300)
      #expect(peer.read() == [UInt8](repeating: 2, count: 100) + [UInt8](repeating: 7, count: 300))
    }
  }

  @Test func `A peer that does not read is waited for with no more than the space, and gets all in order`() throws {
    try withOutput(space: 65_536) { output, peer in
      var sent: [UInt8] = []
      var received: [UInt8] = []
      var refusals = 0
      while refusals < 20 {
        let record = (0..<16_000).map { UInt8(truncatingIfNeeded: sent.count / 16_000 &+ $0) }
        output.gather()
        if take(record, into: output) > 0 { sent += record } else { refusals += 1 }
        _ = output.flush()
        #expect(output.waiting <= 65_536)
        if refusals > 0 { received += peer.read(atMost: 10_000) }
      }
      while !output.flush() { received += peer.read(atMost: 50_000) }
      received += peer.read()
      #expect(output.waiting == 0)
      #expect(sent.count > 16_000)
      #expect(received == sent)
    }
  }

  @Test func `A connection that was cut is an error that says so, for good`() throws {
    try withOutput { output, peer in
      peer.close()
      output.gather()
      #expect(take([1], into: output) == 1)
      #expect(!output.flush())
      #expect(output.failure == EPIPE)
      #expect(take([1], into: output) == 0)
      #expect(!output.flush())
    }
  }
}

/// The other end of a socket.
private final class Peer {
  private var descriptor: Int32
  init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit { close() }

  /// What has come.
  func read(atMost most: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while all.count < most {
      let count = recv(descriptor, &piece, min(piece.count, most - all.count), Int32(MSG_DONTWAIT))
      guard count > 0 else { break }
      all += piece[..<count]
    }
    return all
  }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }
}

private func take(_ record: [UInt8], into output: TLSOutput) -> Int { record.withUnsafeBytes { output.take($0) } }

private func withOutput(space bytes: Int = 1_024, _ body: (TLSOutput, Peer) throws -> Void) throws {
  var ends: [Int32] = [-1, -1]
  try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
  defer { close(ends[0]) }
  let space = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 1)
  defer { space.deallocate() }
  try body(TLSOutput(descriptor: ends[0], space: space), Peer(ends[1]))
}

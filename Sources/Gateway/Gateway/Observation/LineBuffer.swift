import Glibc
import RPCCore

/// Text that is gathered to be written in one go: no string is made of its parts.
struct LineBuffer {
  /// Written bytes that are kept before the others are moved up: moving costs more than keeping.
  private static let keptBytes = 65_536

  private var bytes: [UInt8] = []
  /// How many of them have been written.
  private var written = 0

  /// Bytes that wait.
  var count: Int { bytes.count - written }

  mutating func add(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func add(_ text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  /// A number, not negative, with leading zeros up to so many digits.
  mutating func add(_ number: Int, digits: Int = 1) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(20, digits)) { buffer in
      var (place, rest) = (buffer.count, number.magnitude)
      repeat {
        place -= 1
        buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0 || buffer.count - place < digits
      bytes.append(contentsOf: buffer[place...])
    }
  }

  mutating func add(trace: TraceContext) {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { buffer in
      trace.write(trace: buffer)
      bytes.append(contentsOf: buffer)
    }
  }

  /// Writes the first bytes that wait. As write(2): how many were taken, or -1.
  mutating func write(to descriptor: Int32, atMost most: Int) -> Int {
    let taken = bytes.withUnsafeBytes { all in
      let waiting = all[written...]
      return Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: waiting).baseAddress, min(most, waiting.count))
    }
    written += max(0, taken)
    if written == bytes.count {
      bytes.removeAll(keepingCapacity: true)
      written = 0
    } else if written >= LineBuffer.keptBytes {
      bytes.removeFirst(written)
      written = 0
    }
    return taken
  }
}

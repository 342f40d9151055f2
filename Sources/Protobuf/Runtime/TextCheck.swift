/// What is wrong with a string field's bytes; nil if they are UTF-8 without NUL.
func textProblem(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> String? {
  isPlainASCII(start, end) ? nil : problem(start, end)
}

/// Whether all bytes are ASCII and none is zero; eight at a time, the last eight possibly twice.
@inline(__always)
private func isPlainASCII(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
  let count = end - start
  if count >= 8 {
    var at = start
    while end - at > 8 {
      guard isPlainASCII(at.loadUnaligned(as: UInt64.self)) else { return false }
      at += 8
    }
    return isPlainASCII((end - 8).loadUnaligned(as: UInt64.self))
  }
  if count >= 4 {
    let low = UInt64(start.loadUnaligned(as: UInt32.self))
    return isPlainASCII(low | UInt64((end - 4).loadUnaligned(as: UInt32.self)) << 32)
  }
  return (0..<count).allSatisfy { (1..<0x80).contains(start.load(fromByteOffset: $0, as: UInt8.self)) }
}

/// A byte's high bit is set in the word (not ASCII) or, if in none, by the subtraction where a byte is zero.
@inline(__always)
private func isPlainASCII(_ word: UInt64) -> Bool {
  (word | (word &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080 == 0
}

/// Byte by byte, by the table of well-formed sequences (Unicode 16, table 3-7).
private func problem(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> String? {
  var at = start
  while at < end {
    let lead = at.load(as: UInt8.self)
    if lead == 0 { return "holds a NUL character" }
    let length = lead < 0x80 ? 1 : sequenceLength(at, end, lead: lead)
    if length == 0 { return "invalid UTF-8" }
    at += length
  }
  return nil
}

/// Bytes of the multi-byte sequence that starts here; 0 if it is not well-formed.
private func sequenceLength(_ at: UnsafeRawPointer, _ end: UnsafeRawPointer, lead: UInt8) -> Int {
  let second: ClosedRange<UInt8>
  let length: Int
  switch lead {
  case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
  case 0xE0: (length, second) = (3, 0xA0...0xBF)
  case 0xED: (length, second) = (3, 0x80...0x9F)
  case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
  case 0xF0: (length, second) = (4, 0x90...0xBF)
  case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
  case 0xF4: (length, second) = (4, 0x80...0x8F)
  default: return 0
  }
  guard end - at >= length, second.contains(at.load(fromByteOffset: 1, as: UInt8.self)) else { return 0 }
  for offset in 2..<max(length, 2) where at.load(fromByteOffset: offset, as: UInt8.self) & 0xC0 != 0x80 { return 0 }
  return length
}

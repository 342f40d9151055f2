/// What is wrong with a string field's bytes; nil if they are UTF-8 without NUL.
///
/// Eight ASCII characters at a time, else by the table of well-formed sequences (Unicode 16, table 3-7).
func textProblem(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> String? {
  var at = start
  while at < end {
    if end - at >= 8 {
      let word = at.loadUnaligned(as: UInt64.self)
      // High bit of a byte set: not ASCII, or (by the subtraction, only if none is set) a zero byte somewhere.
      if (word | (word &- 0x0101_0101_0101_0101)) & 0x8080_8080_8080_8080 == 0 {
        at += 8
        continue
      }
    }
    let lead = at.load(as: UInt8.self)
    if lead < 0x80 {
      if lead == 0 { return "holds a NUL character" }
      at += 1
      continue
    }
    let length = sequenceLength(at, end, lead: lead)
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

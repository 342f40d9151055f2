import RPCCore

/// Cuts a stream of bytes into gRPC messages: a flag, a length of four bytes, the message. A pure value.
struct MessageDeframer {
  /// Messages are taken up to this size; a larger one ends the call with RESOURCE_EXHAUSTED.
  let maximumMessageBytes: Int
  /// What the peer's messages may be compressed with; a compressed one without is an error.
  var encoding = MessageEncoding.identity
  private var prefix: (flag: UInt8, length: UInt32, count: Int) = (0, 0, 0)
  private var message: [UInt8] = []

  init(maximumMessageBytes: Int) {
    self.maximumMessageBytes = maximumMessageBytes
  }

  /// Whether bytes of an unfinished message have come.
  var isMidMessage: Bool { prefix.count > 0 }

  /// Bytes of an unfinished message that have come.
  var bufferedBytes: Int { message.count }

  /// Takes bytes and calls `deliver` with each message that they complete, and whether it is compressed.
  mutating func receive(_ bytes: UnsafeRawBufferPointer, deliver: ([UInt8], Bool) -> Void) throws(RPCError) {
    var position = 0
    while position < bytes.count {
      while prefix.count < framePrefixLength, position < bytes.count {
        let byte = bytes[position]
        if prefix.count == 0 { prefix.flag = byte } else { prefix.length = prefix.length << 8 | UInt32(byte) }
        prefix.count += 1
        position += 1
      }
      guard prefix.count == framePrefixLength else { return }
      try check()
      let length = Int(prefix.length)
      let count = min(length - message.count, bytes.count - position)
      // Memory grows with what has come, not with what a prefix promises.
      if message.isEmpty, count < length { message.reserveCapacity(min(length, 65_536)) }
      message.append(contentsOf: bytes[position..<position + count])
      position += count
      guard message.count == length else { return }
      let complete = message
      let isCompressed = prefix.flag == 1
      message = []
      prefix = (0, 0, 0)
      deliver(complete, isCompressed)
    }
  }

  private func check() throws(RPCError) {
    guard prefix.flag <= 1 else { throw RPCError(.internal, "a message's first byte must be 0 or 1") }
    guard prefix.flag == 0 || encoding == .gzip else {
      throw RPCError(.internal, "a compressed message came without a grpc-encoding that says how")
    }
    guard Int(prefix.length) <= maximumMessageBytes else {
      throw RPCError(
        .resourceExhausted, "a message of \(prefix.length) bytes; at most \(maximumMessageBytes) are taken")
    }
  }
}

/// Writes the prefix into the room that a framed message has for it.
func setFramePrefix(_ framed: inout [UInt8], flag: UInt8) {
  guard framed.count >= framePrefixLength else { return }
  let length = UInt32(framed.count - framePrefixLength)
  framed[0] = flag
  for index in 1...4 { framed[index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * (4 - index))) }
}

import COpenSSL
import Glibc

/// Where a connection's TLS records go on their way to its socket. Each goes by itself, until `gather`: then they are put together in
/// the loop's space and go in one piece, for a system call costs more than the copy. Confined to its loop.
final class TLSOutput {
  /// What OpenSSL's BIO calls look like to OpenSSL; nil only if there was no memory for it at the start.
  private nonisolated(unsafe) static let method: OpaquePointer? = {
    guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gathered output") else { return nil }
    BIO_meth_set_write(method) { bio, bytes, count in
      guard let bio, let bytes, count > 0, let data = BIO_get_data(bio) else { return -1 }
      let output = Unmanaged<TLSOutput>.fromOpaque(data).takeUnretainedValue()
      BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY)
      let taken = output.take(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
      if taken > 0 { return Int32(taken) }
      if output.failure == 0 { BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY) }
      errno = output.failure
      return -1
    }
    // All that OpenSSL asks is that nothing waits here, which `TLSStream.flush` sees to.
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return method
  }()

  private let descriptor: Int32
  /// The loop's space for what is put together: at most so many bytes wait for the socket.
  private let space: UnsafeMutableRawBufferPointer
  private var isGathering = false
  private var gathered = 0
  /// What the socket did not take.
  private var kept: [UInt8] = []
  private var keptOffset = 0
  /// The system's error of a write that failed; 0 while none has.
  private(set) var failure: Int32 = 0

  init(descriptor: Int32, space: UnsafeMutableRawBufferPointer) {
    self.descriptor = descriptor
    self.space = space
  }

  /// A BIO that writes here, which must not outlive this; nil if there is no memory.
  func makeBIO() -> OpaquePointer? {
    guard let method = TLSOutput.method, let bio = BIO_new(method) else { return nil }
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    return bio
  }

  /// Bytes that wait for the socket.
  var waiting: Int { kept.count - keptOffset }

  /// Puts records together from now on, until `flush`.
  func gather() { isGathering = true }

  /// Hands all to the socket; false if it did not take all, or `failure` says why it never will.
  func flush() -> Bool {
    isGathering = false
    return sendKept() && sendGathered()
  }

  /// How many bytes of a record were taken; 0 if none, now or ever.
  func take(_ record: UnsafeRawBufferPointer) -> Int {
    guard sendKept() else { return 0 }
    guard isGathering, record.count <= space.count else { return sendGathered() ? send(record) : 0 }
    if record.count > space.count - gathered, !sendGathered() { return 0 }
    UnsafeMutableRawBufferPointer(rebasing: space[gathered...]).copyMemory(from: record)
    gathered += record.count
    return record.count
  }

  private func sendKept() -> Bool {
    guard waiting > 0 else { return failure == 0 }
    keptOffset += kept.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[keptOffset...])) }
    guard waiting == 0 else { return false }
    kept = []
    keptOffset = 0
    return true
  }

  private func sendGathered() -> Bool {
    let bytes = UnsafeRawBufferPointer(rebasing: space[0..<gathered])
    gathered = 0
    let sent = bytes.isEmpty ? 0 : send(bytes)
    guard failure == 0 else { return false }
    if sent < bytes.count { kept = Array(bytes[sent...]) }
    return sent == bytes.count
  }

  /// How many bytes the socket took.
  private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard failure == 0 else { return 0 }
    while true {
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count >= 0 { return count }
      switch errno {
      case EINTR: continue
      case EAGAIN, EWOULDBLOCK: return 0
      case let code:
        failure = code
        return 0
      }
    }
  }
}

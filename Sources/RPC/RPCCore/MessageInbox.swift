/// Messages that have come for one call and wait to be read, and how the stream ended. Confined to the call's event loop.
///
/// Its size is bounded by flow control: the transport gives the peer credit only for what `unreadBytes` leaves room for.
final class MessageInbox {
  /// What a waiting message costs beside its bytes: else a peer could fill the memory with empty ones.
  private static let overheadBytes = 32

  /// The next message; most calls never have a second one waiting, and need no list.
  private var first: [UInt8]?
  private var messages: [[UInt8]] = []
  private var head = 0
  private var ending: Result<Void, RPCError>?
  private var waiter: UnsafeContinuation<Result<[UInt8]?, RPCError>, Never>?
  /// Bytes of messages that nobody has read yet, and what it costs to keep them.
  private(set) var unreadBytes = 0

  /// Adds a message; ignored after the end.
  func push(_ message: [UInt8]) {
    guard ending == nil else { return }
    if let waiter = takeWaiter() {
      waiter.resume(returning: .success(message))
    } else {
      unreadBytes += message.count + MessageInbox.overheadBytes
      if first == nil, head == messages.count { first = message } else { messages.append(message) }
    }
  }

  /// Ends the stream: with success after the messages that are there, with an error at once. The first ending counts.
  func finish(_ result: Result<Void, RPCError>) {
    guard ending == nil else { return }
    ending = result
    if case .failure = result {
      first = nil
      messages.removeAll()
      head = 0
      unreadBytes = 0
    }
    takeWaiter()?.resume(returning: result.map { nil })
  }

  /// A message that is there; nil if there is none now, or never.
  func take() throws(RPCError) -> [UInt8]? {
    if let message = first {
      first = nil
      unreadBytes -= message.count + MessageInbox.overheadBytes
      return message
    }
    if head < messages.count {
      let message = messages[head]
      head += 1
      unreadBytes -= message.count + MessageInbox.overheadBytes
      if head == messages.count || head >= 64 {
        messages.removeFirst(head)
        head = 0
      }
      return message
    }
    if case .failure(let error) = ending { throw error }
    return nil
  }

  /// The next message, nil after the last one. One reader at a time; a second one fails with INTERNAL.
  func next() async throws(RPCError) -> [UInt8]? {
    if let message = try take() { return message }
    if ending != nil { return nil }
    guard waiter == nil else { throw RPCError(.internal, "two readers on one stream") }
    return try await withUnsafeContinuation { waiter = $0 }.get()
  }

  private func takeWaiter() -> UnsafeContinuation<Result<[UInt8]?, RPCError>, Never>? {
    defer { waiter = nil }
    return waiter
  }
}

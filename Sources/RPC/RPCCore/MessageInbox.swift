/// Messages that have come for one call and wait to be read, and how the stream ended. Confined to the call's event loop.
///
/// Its size is bounded by flow control: the transport gives the peer credit only for what `unreadBytes` leaves room for.
struct MessageInbox {
  /// What a waiting message costs beside its bytes: else a peer could fill the memory with empty ones.
  private static let overheadBytes = 32

  private struct Waiting {
    let message: [UInt8]
    let isCompressed: Bool
  }

  /// The next message; most calls never have a second one waiting, and need no list.
  private var first: Waiting?
  private var messages: [Waiting] = []
  private var head = 0
  private var ending: Result<Void, RPCError>?
  private var waiter: UnsafeContinuation<Result<[UInt8]?, RPCError>, Never>?
  /// Bytes of messages that nobody has read yet, and what it costs to keep them.
  private(set) var unreadBytes = 0
  /// Whether the message that was taken last is still compressed.
  private(set) var lastIsCompressed = false

  /// Adds a message; ignored after the end.
  mutating func push(_ message: [UInt8], isCompressed: Bool) {
    guard ending == nil else { return }
    if let waiter = takeWaiter() {
      lastIsCompressed = isCompressed
      waiter.resume(returning: .success(message))
    } else {
      unreadBytes += message.count + MessageInbox.overheadBytes
      let waiting = Waiting(message: message, isCompressed: isCompressed)
      if first == nil, head == messages.count { first = waiting } else { messages.append(waiting) }
    }
  }

  /// Ends the stream: with success after the messages that are there, with an error at once. The first ending counts.
  mutating func finish(_ result: Result<Void, RPCError>) {
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
  mutating func take() throws(RPCError) -> [UInt8]? {
    if let waiting = first {
      first = nil
      return open(waiting)
    }
    if head < messages.count {
      let waiting = messages[head]
      head += 1
      if head == messages.count || head >= 64 {
        messages.removeFirst(head)
        head = 0
      }
      return open(waiting)
    }
    if case .failure(let error) = ending { throw error }
    return nil
  }

  /// Bytes of the message that `take` gives next if it is compressed; 0 if it is not, or there is none.
  var nextCompressedBytes: Int {
    let next = first ?? (head < messages.count ? messages[head] : nil)
    return next?.isCompressed == true ? next?.message.count ?? 0 : 0
  }

  /// Whether there is nothing to wait for: `take` gives all that is left.
  var hasEnded: Bool { ending != nil }

  /// Has the next message, nil after the last one, handed to a reader who found none. One reader at a time; a second one fails
  /// with INTERNAL.
  mutating func wait(_ reader: UnsafeContinuation<Result<[UInt8]?, RPCError>, Never>) {
    guard waiter == nil else {
      return reader.resume(returning: .failure(RPCError(.internal, "two readers on one stream")))
    }
    waiter = reader
  }

  private mutating func open(_ waiting: Waiting) -> [UInt8] {
    unreadBytes -= waiting.message.count + MessageInbox.overheadBytes
    lastIsCompressed = waiting.isCompressed
    return waiting.message
  }

  private mutating func takeWaiter() -> UnsafeContinuation<Result<[UInt8]?, RPCError>, Never>? {
    defer { waiter = nil }
    return waiter
  }
}

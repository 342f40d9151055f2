import Protobuf
import RPCCore
import Storage
import Synchronization

/// Where a call's replies go.
public final class Exchange: ServerCallTransport, Sendable {
  private let state = Mutex((messages: [[UInt8]](), headersSent: false))
  private let arrival = AsyncSignal()

  /// No replies yet.
  public init() {}

  public func send(framed: [UInt8], compressed: Bool) {
    state.withLock { $0.messages.append(Array(framed.dropFirst(framePrefixLength))) }
    arrival.raise()
  }
  public func sendHeaders() {
    state.withLock { $0.headersSent = true }
    arrival.raise()
  }
  public func decompress(_ message: [UInt8]) throws(RPCError) -> [UInt8] { message }
  public var isCongested: Bool { false }
  public func messagesConsumed() {}

  /// The replies so far, without their frames.
  public var messages: [[UInt8]] { state.withLock { $0.messages } }
  /// Whether the headers went out.
  public var headersSent: Bool { state.withLock { $0.headersSent } }

  /// Waits until the replies so far, or the headers, are as they should be.
  public func wait<Reply: Message>(_ type: Reply.Type, until done: ([Reply]) -> Bool) async throws -> [Reply] {
    while true {
      let count = arrival.count
      let replies = try messages.map { try Reply(serialized: $0) }
      if done(replies) { return replies }
      try await arrival.wait(after: count)
    }
  }
}

/// The error of a call that must fail.
public func failure(_ body: () async throws -> some Any) async -> RPCError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return RPCError(converting: error)
  }
}

extension RPCError {
  /// The bad fields that it names.
  public var fields: [String] { details.flatMap { StatusDetails.violations($0) }.map(\.field) }
}

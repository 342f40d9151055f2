import Core
import RPCCore
import Storage
import Synchronization

/// The subscribers of an event log: how many there are, and which of them read too slowly.
public final class Subscribers: Sendable {
  /// Longest wait of one write for the subscriber to read; then its stream ends with RESOURCE_EXHAUSTED.
  public static let maximumWriteTime = Duration.seconds(30)
  /// Most bytes of events of one write, so that little waits for who does not read; one event may be larger.
  public static let maximumPageBytes = 1 << 20
  /// Pause between two looks for slow subscribers: so much later than `maximumWriteTime` one is cut off.
  public static let look = Duration.seconds(1)

  private let ticks = AsyncSignal()
  private let counts = Mutex((now: 0, cutOff: 0))
  private let clock: any Clock
  private let patienceNanoseconds: UInt64

  /// No subscribers yet. A test may have less patience.
  public init(clock: any Clock, patience: Duration = Subscribers.maximumWriteTime) {
    self.clock = clock
    let parts = patience.components
    patienceNanoseconds = UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000)
  }

  /// Subscribers now, and those that were cut off since the process began.
  public var figures: (now: Int, cutOff: Int) { counts.withLock { $0 } }

  /// Must run beside the calls: cuts off who reads too slowly, until the task is cancelled.
  public func watch(sleep: @Sendable (Duration) async throws -> Void) async throws {
    while true {
      try await sleep(Self.look)
      ticks.raise()
    }
  }

  /// Runs a subscriber's stream. The body writes only through the function that it is given, which throws RESOURCE_EXHAUSTED
  /// when the subscriber is too slow.
  func serve<Response>(
    _ responses: ResponseWriter<Response>,
    _ body: @escaping @Sendable (_ write: @Sendable (Response) async throws -> Void) async throws -> Void
  ) async throws {
    counts.withLock { $0.now += 1 }
    defer { counts.withLock { $0.now -= 1 } }
    // When the write began that goes on now; nil between writes.
    let begun = WriteBegin()
    let (clock, ticks) = (clock, ticks)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await body { response in
          begun.time.withLock { $0 = clock.monotonicNanoseconds() }
          defer { begun.time.withLock { $0 = nil } }
          try await responses.write(response)
        }
      }
      // On the same event loop: a child task has its parent's executor.
      group.addTask {
        while true {
          try await ticks.wait(after: ticks.count)
          self.look(begun, responses)
        }
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func look<Response>(_ begun: WriteBegin, _ responses: ResponseWriter<Response>) {
    guard let time = begun.time.withLock({ $0 }), clock.monotonicNanoseconds() > time + patienceNanoseconds else {
      return
    }
    begun.time.withLock { $0 = nil }
    counts.withLock { $0.cutOff += 1 }
    responses.stopWaiting(
      RPCError(
        .resourceExhausted,
        "the subscriber reads too slowly: subscribe again with the resume_token of the last answer, and read on"))
  }
}

/// Shared by the two tasks of a subscriber.
private final class WriteBegin: Sendable {
  let time = Mutex<UInt64?>(nil)
}

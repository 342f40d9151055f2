import API
import Core
import RPCCore
import Synchronization

/// Follows the events of another service for as long as this one runs: subscribes from where its sink stands, hands over each
/// page, and subscribes again when the stream breaks.
public final class EventFollower: Sendable {
  /// Pause before the first further attempt.
  public static let firstPause = Duration.milliseconds(100)
  /// Longest pause between attempts: a copy must be right within two seconds of the other service's start.
  public static let maximumPause = Duration.seconds(1)

  /// How a follower stands.
  public struct Status: Sendable, Equatable {
    /// Whether a stream stands.
    public var isConnected = false
    /// Whether all that the other service had was applied, as far as this stream has told.
    public var isCaughtUp = false
    /// When that was so last; nil if never.
    public var caughtUpTime: Timestamp?
  }

  private struct State {
    var status = Status()
    var stream: ResponseReader<SubscribeResponse>?
    var restarts = 0
  }

  private let channel: any RPCCore.Channel
  private let sink: any EventSink
  private let types: [String]
  private let metadata: Metadata
  private let clock: any Clock
  private let state = Mutex(State())

  /// A follower of the service behind a channel. `types` are the full names of the events that matter; empty asks for all.
  public init(
    channel: any RPCCore.Channel, sink: any EventSink, types: [String] = [], metadata: Metadata = .init(),
    clock: any Clock
  ) {
    (self.channel, self.sink, self.types) = (channel, sink, types)
    (self.metadata, self.clock) = (metadata, clock)
  }

  /// How it stands now.
  public var status: Status { state.withLock { $0.status } }

  /// Ends the stream and begins another from the sink's token, at once. May be called from any thread.
  public func restart() {
    let stream = state.withLock { state in
      state.restarts += 1
      return state.stream
    }
    stream?.call.cancel()
  }

  /// Until the task is cancelled; then throws `CancellationError`. Runs on the channel's event loop. `sleep` is that loop's and
  /// must end early when cancelled; what a stream or the sink fails with goes to `onError` before it is tried again.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    var pause = EventFollower.firstPause
    while true {
      try Task.checkCancellation()
      let restarts = state.withLock { $0.restarts }
      var hasProgressed = false
      do {
        try await follow(&hasProgressed)
      } catch {
        if Task.isCancelled { throw CancellationError() }
        leave()
        if state.withLock({ $0.restarts }) != restarts { continue }
        await report(error, onError)
      }
      leave()
      if hasProgressed { pause = EventFollower.firstPause }
      try await sleep(pause)
      pause = min(pause * 2, EventFollower.maximumPause)
    }
  }

  /// One stream, to its end.
  private func follow(_ hasProgressed: inout Bool) async throws {
    let before = state.withLock { $0.restarts }
    let request = SubscribeRequest(resumeToken: try await sink.resumeToken(), types: types)
    let stream = try await EventServiceClient(channel: channel).subscribe(
      request, options: CallOptions(metadata: metadata))
    let isStale = state.withLock { state in
      state.stream = stream
      return state.restarts != before
    }
    // Asked to restart since the token was read: what comes would be of the place before.
    if isStale { return stream.call.cancel() }
    while let page = try await stream.next() {
      try await sink.apply(page)
      hasProgressed = true
      let now = clock.now()
      state.withLock { state in
        state.status.isConnected = true
        state.status.isCaughtUp = page.caughtUp
        if page.caughtUp { state.status.caughtUpTime = now }
      }
      if state.withLock({ $0.restarts }) != before { return stream.call.cancel() }
    }
  }

  private func leave() {
    state.withLock { state in
      state.stream = nil
      state.status.isConnected = false
      state.status.isCaughtUp = false
    }
  }

  /// A refusal of the token is the sink's matter; all else is for the log.
  private func report(_ error: any Error, _ onError: @Sendable (any Error) -> Void) async {
    onError(error)
    guard let refused = error as? RPCError, refused.code == .outOfRange else { return }
    do { try await sink.startOver() } catch { onError(error) }
  }
}

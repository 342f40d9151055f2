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
    /// Attempts that failed since events came last.
    public var failures = 0
    /// When the last event that was applied was recorded; nil if none was since the process began.
    public var lastRecordedTime: Timestamp?

    /// Nothing has come yet.
    public init() {}

    /// How long ago this service knew all that there was, as far as it knows: 0 when it has caught up on a stream that stands;
    /// nil if it never has.
    public func lagSeconds(at now: Timestamp) -> Double? {
      if isConnected, isCaughtUp { return 0 }
      guard let known = [lastRecordedTime, caughtUpTime].compactMap({ $0 }).max() else { return nil }
      return max(0, Double(now.microsecondsSinceEpoch - known.microsecondsSinceEpoch) / 1e6)
    }
  }

  private struct State {
    var status = Status()
    var stream: ResponseReader<SubscribeResponse>?
    var restarts = 0
    /// What the last attempt failed with, as it was told.
    var failure: StatusCode?
    /// Types of events of which it was told that they are skipped.
    var skippedTypes: Set<String> = []
  }

  /// Types of skipped events that are told one by one; further ones are only kept by the sink.
  static let maximumSkippedTypes = 64
  /// Pause between two looks whether all was applied.
  private static let look = Duration.milliseconds(10)

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

  /// Returns when all that the other service had was applied for the first time, or after this time: a service that starts
  /// while the other is away does its work with what it knew before. `sleep` as for `run`, which must run beside.
  public func firstCatchUp(
    within patience: Duration, sleep: @Sendable (Duration) async throws -> Void
  ) async throws {
    var waited = Duration.zero
    while status.caughtUpTime == nil, waited < patience {
      try await sleep(EventFollower.look)
      waited += EventFollower.look
    }
  }

  /// Until the task is cancelled; then throws `CancellationError`. Runs on the channel's event loop. `sleep` is that loop's and
  /// must end early when cancelled. `onNotice` is told when its state changes, not of each attempt.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onNotice: @Sendable (FollowerNotice) -> Void
  ) async throws {
    var pause = EventFollower.firstPause
    while true {
      try Task.checkCancellation()
      let restarts = state.withLock { $0.restarts }
      var hasProgressed = false
      do {
        try await follow(&hasProgressed, onNotice)
      } catch {
        if Task.isCancelled { throw CancellationError() }
        leave()
        if state.withLock({ $0.restarts }) != restarts { continue }
        await report(error, onNotice)
      }
      leave()
      if hasProgressed { pause = EventFollower.firstPause }
      try await sleep(pause)
      pause = min(pause * 2, EventFollower.maximumPause)
    }
  }

  /// One stream, to its end.
  private func follow(
    _ hasProgressed: inout Bool, _ onNotice: @Sendable (FollowerNotice) -> Void
  ) async throws {
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
      let skipped = try await sink.apply(page)
      hasProgressed = true
      tell(skipped, onNotice)
      let now = clock.now()
      state.withLock { state in
        state.status.isConnected = true
        state.status.isCaughtUp = page.caughtUp
        if page.caughtUp { state.status.caughtUpTime = now }
        if let recorded = page.events.last?.recordedTime {
          state.status.lastRecordedTime = Timestamp(
            microsecondsSinceEpoch: recorded.seconds &* 1_000_000 &+ Int64(recorded.nanos) / 1_000)
        }
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

  /// A refusal of the token is the sink's matter; all else is told once, until it is another failure or events come again.
  private func report(_ error: any Error, _ onNotice: @Sendable (FollowerNotice) -> Void) async {
    let code = RPCError(converting: error).code
    let isNews = state.withLock { state in
      state.status.failures += 1
      defer { state.failure = code }
      return state.failure != code
    }
    if isNews { onNotice(.interrupted(error)) }
    guard code == .outOfRange else { return }
    do { try await sink.startOver() } catch { onNotice(.interrupted(error)) }
  }

  /// Events have come: says so if they had not before, and which were skipped, once for each type.
  private func tell(_ skipped: [Event], _ onNotice: @Sendable (FollowerNotice) -> Void) {
    let (failures, news) = state.withLock { state -> (Int, [Event]) in
      let failures = state.status.failures
      (state.status.failures, state.failure) = (0, nil)
      var news: [Event] = []
      for event in skipped where state.skippedTypes.count < EventFollower.maximumSkippedTypes {
        if state.skippedTypes.insert(event.type).inserted { news.append(event) }
      }
      return (failures, news)
    }
    if failures > 0 { onNotice(.resumed(failures: failures)) }
    for event in news { onNotice(.skipped(event)) }
  }
}

import Core
import Storage

/// What runs beside the calls for an audit log: leaves get their places.
public struct AuditLoop: Sendable {
  /// Pause between two looks for leaves: with the batch behind it well below the second within which a leaf must have its place.
  public static let interval = Duration.milliseconds(400)
  /// Pause after an error.
  public static let retryInterval = Duration.seconds(1)

  private let sequencer: LeafSequencer

  /// The loop of a log.
  public init(_ sequencer: LeafSequencer) { self.sequencer = sequencer }

  /// Until the task is cancelled; then throws `CancellationError`. `sleep` is the event loop's and must end early when cancelled.
  /// Errors that it survives go to `onError`.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    while true {
      try Task.checkCancellation()
      do {
        if try await sequencer.step() == .placed(LeafSequencer.maximumChunk) { continue }
        try await sleep(AuditLoop.interval)
      } catch let error as CancellationError {
        throw error
      } catch {
        onError(error)
        try await sleep(AuditLoop.retryInterval)
      }
    }
  }
}

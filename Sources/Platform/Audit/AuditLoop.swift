import Core
import Storage

/// What runs beside the calls for an audit log: leaves get their places, and checkpoints go to a file outside the database.
public struct AuditLoop: Sendable {
  /// Pause between two looks for leaves: with the batch behind it well below the second within which a leaf must have its place.
  public static let interval = Duration.milliseconds(400)
  /// Pause after an error.
  public static let retryInterval = Duration.seconds(1)

  private let sequencer: LeafSequencer
  private let log: AuditLog
  private let file: CheckpointFile?

  /// The loop of a log; without a file its checkpoints stay in the database and with the witness.
  public init(_ sequencer: LeafSequencer, log: AuditLog, file: CheckpointFile?) {
    (self.sequencer, self.log, self.file) = (sequencer, log, file)
  }

  /// Until the task is cancelled; then throws `CancellationError`. `sleep` is the event loop's and must end early when cancelled.
  /// Errors that it survives go to `onError`, each once until it is another one or all goes well again.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    var isSigned = false
    var told: String?
    while true {
      try Task.checkCancellation()
      do {
        if !isSigned { try await sequencer.signWhatIsUnsigned() }
        isSigned = true
        let isBehind = try await sequencer.step() == .placed(LeafSequencer.maximumChunk)
        if let file, let note = try await log.newestNote() { try await file.add(note) }
        told = nil
        if isBehind { continue }
        try await sleep(AuditLoop.interval)
      } catch let error as CancellationError {
        throw error
      } catch {
        if told != "\(error)" { onError(error) }
        told = "\(error)"
        try await sleep(AuditLoop.retryInterval)
      }
    }
  }
}

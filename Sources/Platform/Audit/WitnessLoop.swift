import API
import AuditProof
import RPCCore
import Storage
import Synchronization

/// Sends a log's checkpoints to the service that witnesses it, each with the proof that it continues the last one that the witness
/// has seen.
public final class WitnessLoop: Sendable {
  /// Pause between two looks for a new checkpoint.
  public static let interval = Duration.milliseconds(400)
  /// Pause after an attempt that failed.
  public static let retryInterval = Duration.seconds(1)
  /// Longest wait for the witness's answer.
  public static let patience = Duration.seconds(5)
  /// Attempts for one checkpoint: the first tells what the witness has seen, the second proves from there.
  private static let maximumAttempts = 3

  /// How it stands with the witness.
  public struct Standing: Hashable, Sendable {
    /// Leaves of the largest checkpoint that it has.
    public var leaves: Int64 = 0
    /// It refuses the last checkpoint: the log contradicts what it has signed before.
    public var isRefused = false
  }

  private struct State {
    var witnessedSize: Int64 = 0
    var isRefused = false
    var sentNote: String?
    /// What the last attempt failed with, as it was told.
    var failure: String?
  }

  private let log: AuditLog
  private let channel: any RPCCore.Channel
  private let options: @Sendable (Duration) -> CallOptions
  private let state = Mutex(State())

  /// The loop for a log, with a channel to its witness. `options` makes a call end after so long.
  public init(log: AuditLog, channel: any RPCCore.Channel, options: @escaping @Sendable (Duration) -> CallOptions) {
    (self.log, self.channel, self.options) = (log, channel, options)
  }

  /// How it stands with the witness.
  public var standing: Standing { state.withLock { Standing(leaves: $0.witnessedSize, isRefused: $0.isRefused) } }

  /// Until the task is cancelled; then throws `CancellationError`. Runs on the channel's event loop. `sleep` is that loop's and must
  /// end early when cancelled. A failure is told once, until it is another one or it works again.
  public func run(
    sleep: @Sendable (Duration) async throws -> Void, onError: @Sendable (any Error) -> Void
  ) async throws {
    while true {
      try Task.checkCancellation()
      do {
        try await step()
        state.withLock { ($0.failure, $0.isRefused) = (nil, false) }
        try await sleep(WitnessLoop.interval)
      } catch let error as CancellationError {
        throw error
      } catch {
        if Task.isCancelled { throw CancellationError() }
        let text = "\(error)"
        let isNews = state.withLock { state in
          // One that cannot be reached has taken nothing back.
          if (error as? RPCError)?.code == .failedPrecondition { state.isRefused = true }
          defer { state.failure = text }
          return state.failure != text
        }
        if isNews { onError(error) }
        try await sleep(WitnessLoop.retryInterval)
      }
    }
  }

  /// Sends the newest checkpoint, unless the witness has it.
  public func step() async throws {
    guard let note = try await log.newestNote(), note != state.withLock({ $0.sentNote }) else { return }
    let checkpoint = try Checkpoint(unverified: note)
    let proofs = ProofSource(database: log.database)
    for _ in 0..<WitnessLoop.maximumAttempts {
      let seen = state.withLock { $0.witnessedSize }
      let proof =
        (1..<max(1, checkpoint.size)).contains(seen)
        ? try await proofs.consistency(first: seen, second: checkpoint.size) : []
      let reply = try await AuditServiceClient(channel: channel).recordCheckpoint(
        RecordCheckpointRequest(note: note, provenSize: seen, hashes: proof.map(\.array)),
        options: options(WitnessLoop.patience))
      state.withLock { state in
        state.witnessedSize = reply.witnessedSize
        if reply.recorded { state.sentNote = note }
      }
      if reply.recorded { return }
    }
    throw AuditFailure("the witness takes no checkpoint although each was proven")
  }
}

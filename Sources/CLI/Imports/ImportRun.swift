import Core
import RPCCore
import RPCTransport

/// What an import came to.
struct ImportSummary: Equatable, Sendable {
  var rows = 0
  var created = 0
  var updated = 0
  var unchanged = 0
  var rejected = 0
  /// Amounts that the mapping took for missing.
  var missingAmounts = 0
  /// Batches that were sent once more because the connection had broken.
  var repeatedBatches = 0
  var seconds = 0.0
}

/// Sends records in batches and keeps account of each until the server has answered it. Confined to one task.
final class ImportRun<Target: ImportTarget> {
  private struct Batch {
    var rows: [(line: Int, record: Target.Record)] = []
    var bytes = 0
  }

  private typealias Call = StreamingCall<Target.Request, Target.Response>

  private let session: Session
  private let source: String
  private let records: any RecordSource<Target.Record>
  private let progress: ImportProgress
  private let batchRows: Int
  private var unanswered: [Batch] = []
  private var isAtEnd = false
  private(set) var summary = ImportSummary()

  /// An import; `batchRows` rows go into one batch.
  init(
    _ target: Target.Type, session: Session, source: String, records: any RecordSource<Target.Record>,
    progress: ImportProgress, batchRows: Int
  ) {
    (self.session, self.source, self.records) = (session, source, records)
    (self.progress, self.batchRows) = (progress, batchRows)
  }

  /// Sends all rows. When the connection breaks, the batches without an answer are sent again on another: the server takes a
  /// row that it has for unchanged.
  func run() async throws -> ImportSummary {
    defer { progress.clear() }
    var failures = 0
    while true {
      let answered = summary.rows
      do {
        try await runCall()
        break
      } catch let error as RPCError where ImportLimits.isTransient(error.code) {
        // A server that has never answered is not one whose connection broke: wrong address or certificate, or not up.
        guard summary.rows > 0 else { throw error }
        failures = summary.rows > answered ? 1 : failures + 1
        guard failures <= ImportLimits.attempts else {
          throw CommandFailure(
            "the connection broke (\(error)) after \(summary.rows) rows; run the same command again: nothing is taken twice"
          )
        }
        summary.repeatedBatches += unanswered.count
        try await session.loop.sleep(for: ImportLimits.pause * failures)
      }
    }
    summary.rejected = records.rejectedRows
    summary.missingAmounts = records.missingAmounts
    summary.seconds = progress.seconds
    return summary
  }

  private func runCall() async throws {
    let call: Call = try await session.channel.streaming(Target.method, session.streamOptions())
    for batch in unanswered { try await call.write(Target.request(source: source, batch.rows)) }
    while true {
      while unanswered.count < ImportLimits.unansweredBatches, let batch = try nextBatch() {
        unanswered.append(batch)
        try await call.write(Target.request(source: source, batch.rows))
      }
      guard !unanswered.isEmpty else { break }
      guard let response = try await call.next() else {
        throw RPCError(.unavailable, "the server ended the import early")
      }
      try settle(Target.outcome(response))
    }
    call.finishSending()
    guard try await call.next() == nil else {
      throw RPCError(.internal, "the server answered more batches than were sent")
    }
  }

  /// The oldest batch has its answer.
  private func settle(_ outcome: BatchOutcome) throws {
    let batch = unanswered.removeFirst()
    summary.rows += batch.rows.count
    summary.created += outcome.created
    summary.updated += outcome.updated
    summary.unchanged += outcome.unchanged
    try records.settle(batch.rows.map(\.line), rejected: outcome.rejected)
    progress.update(rows: summary.rows + records.unreadableRows, bytes: records.consumedBytes)
  }

  /// The next rows that can go in. Nil at the end.
  private func nextBatch() throws -> Batch? {
    var batch = Batch()
    while !isAtEnd, batch.rows.count < batchRows, batch.bytes < ImportLimits.batchBytes {
      guard let (line, record, bytes) = try records.next() else {
        isAtEnd = true
        break
      }
      batch.rows.append((line, record))
      batch.bytes += bytes
    }
    return batch.rows.isEmpty ? nil : batch
  }
}

/// Limits of an import.
enum ImportLimits {
  /// Batches that are on their way at once: enough to keep the server's disk busy, few enough to hold in memory.
  static let unansweredBatches = 8
  /// Rows of a batch that the server takes at most.
  static let maximumBatchRows = 1_000
  /// Bytes of the file in one batch, well below what a message may have.
  static let batchBytes = 1_048_576
  /// Calls in a row that may break without one more batch answered.
  static let attempts = 8
  /// The wait before the n-th further attempt is n times this: 18 seconds in all, more than a service takes to come back.
  static let pause = Duration.milliseconds(500)

  /// Whether a call with this status may go well when it is made again.
  static func isTransient(_ code: StatusCode) -> Bool {
    code == .unavailable || code == .aborted || code == .resourceExhausted
  }
}

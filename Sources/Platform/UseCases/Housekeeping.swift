import Core
import Jobs
import Storage

extension JobDefinition {
  /// Removes what a service keeps for a time only: answers to requests, for their repetition, and finished jobs.
  public static func housekeeping(clock: any Clock) -> JobDefinition {
    JobDefinition(
      "housekeeping", summary: "Removes answers to requests after 7 days and finished jobs after 30.",
      interval: .seconds(3_600)
    ) { run in
      var progress = run.progress
      progress.unit = "rows"
      while true {
        let removed = try await run.save(
          Batch([IdempotencyStore.expiration(now: clock.now()), Jobs.expiration(now: clock.now())]), checkpoint: [],
          progress: progress)
        // A full portion means that more may be left.
        guard removed != [0, 0] else { return nil }
        progress.done += Int64(removed.reduce(0, +))
      }
    }
  }
}

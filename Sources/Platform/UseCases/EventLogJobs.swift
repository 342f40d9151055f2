import API
import Core
import Jobs
import Storage
import Synchronization

/// Which events a service keeps, as its configuration says. Everything until it has said so.
public final class EventRetentionSetting: Sendable {
  /// Up to which position something in this service needs no event any more; nil for all.
  public typealias Need = @Sendable () async throws -> Int64?

  private let setting = Mutex(EventRetention())
  private let needs = Mutex<[Need]>([])

  /// Nothing is removed behind what this gives.
  public func hold(_ need: @escaping Need) { needs.withLock { $0.append(need) } }

  /// The smallest of what the needs give.
  func neededBehind() async throws -> Int64? {
    var smallest: Int64?
    for need in needs.withLock({ $0 }) {
      if let position = try await need() { smallest = min(smallest ?? position, position) }
    }
    return smallest
  }

  /// What is kept.
  var value: EventRetention { setting.withLock { $0 } }

  /// Keeps events for so many days, and the last so many in any case; 0 for no such limit.
  public func keep(days: Int64, events: Int64) {
    setting.withLock { $0 = EventRetention(keepDays: days, keepEvents: events) }
  }
}

/// Publishes snapshots of a log and removes what they make needless; see docs/events.md.
struct EventLogJobs: Sendable {
  static let publication = "publish-snapshot"
  static let removal = "retain-events"
  /// Pause between two removals.
  static let interval = Duration.seconds(24 * 3_600)

  let log: EventLog
  let clock: any Clock
  let retention: EventRetentionSetting

  var definitions: [JobDefinition] {
    [
      JobDefinition(Self.publication, summary: "Publishes a snapshot of the event log as of now.") { run in
        _ = try await publish(run)
        return nil
      },
      JobDefinition(
        Self.removal,
        summary: "Publishes a snapshot, then removes events that it makes needless, as far as configured.",
        parametersType: EventRetention.fullName, interval: Self.interval, body: retain),
    ]
  }

  /// The place of a publication or a removal: where it is, what it has counted, and up to where it goes.
  private struct Place {
    var isRemoving = false
    var snapshot: Int64 = 0
    var limit: Int64 = 0
    var position: Int64 = 0
    var count: Int64 = 0

    init() {}

    init?(_ bytes: [UInt8]) {
      let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { Int64($0) }
      guard numbers.count == 5 else { return nil }
      isRemoving = numbers[0] == 1
      (snapshot, limit, position, count) = (numbers[1], numbers[2], numbers[3], numbers[4])
    }

    var bytes: [UInt8] { Array("\(isRemoving ? 1 : 0) \(snapshot) \(limit) \(position) \(count)".utf8) }
  }

  /// Counts the snapshot's events and publishes it; gives its position. Goes on where an interrupted run has saved.
  private func publish(_ run: JobRun) async throws -> Int64 {
    var place = Place()
    if let saved = Place(run.checkpoint) {
      place = saved
    } else {
      place.snapshot = try await log.state().lastPosition
    }
    while let end = try await log.step(after: place.position, upTo: place.snapshot) {
      place.count += try await log.count(after: place.position, to: end, inSnapshot: place.snapshot)
      place.position = end
      try await save(run, place, of: place.snapshot, "counts the snapshot")
    }
    let publication = log.publication(upTo: place.snapshot, events: place.count, at: clock.now())
    try await save(
      run, place, of: place.snapshot, "published a snapshot of \(place.count) events", Batch([publication]))
    return place.snapshot
  }

  private func retain(_ run: JobRun) async throws -> EncodedMessage? {
    let asked = try run.parameters.map { try EventRetention(serialized: $0.value) } ?? EventRetention()
    let rules = asked == EventRetention() ? retention.value : asked
    guard rules != EventRetention() else {
      try await run.save(checkpoint: [], progress: JobProgress(unit: "events", text: "all events are kept"))
      return nil
    }
    var place = Place(run.checkpoint) ?? Place()
    if !place.isRemoving {
      let snapshot = try await publish(run)
      place = Place()
      (place.isRemoving, place.snapshot, place.limit) = (true, snapshot, min(snapshot, try await limit(rules)))
    }
    while let end = try await log.step(after: place.position, upTo: place.limit) {
      let before = place.position
      place.position = end
      let removed = try await save(
        run, place, of: place.limit, "removes what was overtaken",
        Batch(log.removal(after: before, to: end, snapshot: place.snapshot)))
      place.count += Int64(removed.last ?? 0)
    }
    try await save(run, place, of: place.limit, "removed \(place.count) events")
    return nil
  }

  /// The last position of which the rules allow the removal.
  private func limit(_ rules: EventRetention) async throws -> Int64 {
    var limits: [Int64] = []
    if rules.keepEvents > 0 { limits.append(max(0, try await log.state().lastPosition - rules.keepEvents)) }
    if rules.keepDays > 0 {
      let days = min(rules.keepDays, 100 * 366)
      let time = Timestamp(microsecondsSinceEpoch: clock.now().microsecondsSinceEpoch - days * 86_400 * 1_000_000)
      limits.append(try await log.position(recordedBefore: time))
    }
    if let needed = try await retention.neededBehind() { limits.append(needed) }
    return limits.min() ?? 0
  }

  @discardableResult
  private func save(
    _ run: JobRun, _ place: Place, of total: Int64, _ text: String, _ batch: Batch = Batch()
  ) async throws -> [Int] {
    try await run.save(
      batch, checkpoint: place.bytes,
      progress: JobProgress(done: place.position, total: total, unit: "positions", text: text))
  }
}

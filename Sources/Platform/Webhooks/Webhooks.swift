// Start here: `Webhooks` sends a service's events to endpoints outside; `WebhookEndpoint` has the calls that administrators make,
// `WebhookSignature` the headers by which an endpoint knows us. The other way round `WebhookInbox` takes posts of systems outside.
import API
import Core
import Events
import Protobuf
import Storage
import Synchronization
import WebhookSending

/// Sends a service's events to endpoints outside: each endpoint's in their order, one at a time, at least once; all endpoints side
/// by side, so that one that is slow or dead holds up no other, and no writer.
public final class Webhooks: Sendable {
  /// Most webhooks of a service.
  public static let maximumWebhooks: Int64 = 64
  /// Attempts at an event before it becomes a dead letter: about five hours.
  public static let maximumAttempts: Int64 = 16
  /// Pause before the second attempt; doubled with each further one, with up to a fifth more or less.
  public static let firstPauseMilliseconds: Int64 = 1_000
  /// Longest pause between two attempts.
  public static let maximumPauseMilliseconds: Int64 = 3_600_000
  /// How long the old secret signs beside the new one.
  public static let oldSecretMicroseconds: Int64 = 24 * 3_600 * 1_000_000
  /// Events of one look into the log.
  static let page = 64
  /// Pause between two looks for events, webhooks and dead letters to be sent.
  static let look = Duration.milliseconds(200)
  static let retryInterval = Duration.seconds(1)
  private static let maximumErrorLength = 300

  let database: any Database
  let clock: any Clock
  let random: any RandomSource
  let log: EventLog
  let key: WebhookKey?
  /// What secrets are derived from, for whoever takes posts.
  public var signingKey: WebhookKey? { key }
  /// Hosts that may have addresses that are not of the public internet, and speak plain HTTP.
  let allowedHosts: Set<String>
  private let lease: PartitionLease
  private let sender: WebhookSender
  private let underWay = Mutex<Set<String>>([])

  /// The webhooks in a database that has `migrations`. `lease` is that of the log's sequencer: the replica that numbers events sends
  /// them. Without a key there are none.
  public init(
    database: any Database, clock: any Clock, random: any RandomSource, log: EventLog, lease: PartitionLease,
    sender: WebhookSender, key: WebhookKey?, allowedHosts: Set<String>
  ) {
    (self.database, self.clock, self.random, self.log) = (database, clock, random, log)
    (self.lease, self.sender, self.key, self.allowedHosts) = (lease, sender, key, allowedHosts)
  }

  /// Up to which position no active webhook needs the log any more; nil if there is none.
  public func neededBehind() async throws -> Int64? {
    try await database.row(Statement("SELECT min(position) FROM webhook WHERE state = 1"))?.optionalInteger(0)
  }

  /// Must run beside the calls: sends what there is to be sent, until the task is cancelled. `sleep` is the event loop's and must
  /// end early when cancelled.
  public func run(
    sleep: @escaping @Sendable (Duration) async throws -> Void, onError: @escaping @Sendable (any Error) -> Void
  ) async throws {
    guard let key else {
      // There are none; the loop must not end, for the process would.
      while true { try await sleep(.seconds(3_600)) }
    }
    let sender = sender
    try await withTaskCancellationHandler {
      try await withThrowingDiscardingTaskGroup { group in
        while true {
          do {
            for record in try await due() where begin(record.id) {
              group.addTask { await self.work(record, key, onError: onError) }
            }
          } catch {
            if Task.isCancelled { throw CancellationError() }
            onError(error)
            try await sleep(Self.retryInterval)
          }
          try await sleep(Self.look)
        }
      }
    } onCancel: {
      // Posts cannot be cancelled one by one: the process is about to end.
      sender.stop()
    }
  }

  private func begin(_ id: String) -> Bool { underWay.withLock { $0.insert(id).inserted } }

  private func due() async throws -> [WebhookRecord] {
    try await database.query(
      Statement(
        "\(WebhookRecord.select) WHERE state = 1 AND next_time <= ? ORDER BY webhook_id LIMIT ?",
        [.time(clock.now()), .integer(Self.maximumWebhooks)]), access: .point
    ).map { try WebhookRecord(row: $0) }
  }

  private func work(_ record: WebhookRecord, _ key: WebhookKey, onError: @Sendable (any Error) -> Void) async {
    do { try await deliver(record, key) } catch StorageError.conflict(PartitionLease.lost) {
      // Another replica numbers events, and sends them.
      lease.forget()
    } catch StorageError.conflict(WebhookRecord.changed) {
      // Paused, deleted, or sent by another replica meanwhile: the next look sees it as it is.
    } catch {
      if !Task.isCancelled { onError(error) }
    }
    underWay.withLock { _ = $0.remove(record.id) }
  }

  /// Sends until all is sent or an attempt fails.
  private func deliver(_ start: WebhookRecord, _ key: WebhookKey) async throws {
    try await replay(start, key)
    var record = start
    while !Task.isCancelled {
      let page = try await read(behind: record.position)
      for numbered in page.events {
        var after = record
        after.position = numbered.position
        if record.wants(numbered.event) {
          _ = try await lease.precondition()
          let event = Event(numbered.event)
          let refusal = await post(event, to: record, key)
          guard refusal == nil || !Task.isCancelled else { return }
          if let refusal { return try await failed(record, at: numbered.position, event, refusal) }
          (after.failures, after.lastError, after.nextTime) = (0, "", Timestamp(microsecondsSinceEpoch: 0))
          try await write([after.delivered(from: record)])
        } else if numbered.position == page.events.last?.position {
          // What was passed over is kept in mind once for a page.
          try await write([after.delivered(from: record)])
        } else {
          continue
        }
        record = after
      }
      if page.isCaughtUp { return }
    }
  }

  /// Whoever was paused beyond what is kept goes on with what is left: the facts as they are.
  private func read(behind position: Int64) async throws -> EventPage {
    let removed = try await log.snapshot().removedUpTo
    let place = log.beginning.moved(to: position, in: log.partition)
    return try await log.read(
      after: position < removed ? place.reading(snapshotUpTo: removed, in: log.partition) : place, limit: Self.page)
  }

  /// An attempt failed: another one later, or a dead letter.
  private func failed(
    _ record: WebhookRecord, at position: Int64, _ event: Event, _ refusal: String
  ) async throws {
    let now = clock.now()
    var after = record
    after.failures += 1
    after.lastError = refusal
    guard after.failures >= Self.maximumAttempts else {
      after.nextTime = now.advanced(milliseconds: pause(after: after.failures))
      return try await write([after.delivered(from: record)])
    }
    let letter = DeadLetterRecord.insertion(
      after, position: position, eventID: event.eventID, event: try event.serialized(), at: now)
    (after.position, after.failures, after.nextTime) = (position, 0, Timestamp(microsecondsSinceEpoch: 0))
    try await write([letter, after.delivered(from: record)])
  }

  /// Sends dead letters that somebody wants to be sent again, once each.
  private func replay(_ record: WebhookRecord, _ key: WebhookKey) async throws {
    while !Task.isCancelled {
      let row = try await database.row(
        Statement(
          "\(DeadLetterRecord.select) WHERE webhook_id = ? AND replaying = 1 ORDER BY position LIMIT 1",
          [.text(record.id)]))
      guard let letter = try row.map({ try DeadLetterRecord(row: $0) }) else { return }
      let refusal = await post(try Event(serialized: letter.event), to: record, key)
      if refusal != nil, Task.isCancelled { return }
      try await write([refusal.map { letter.failedAgain($0, at: clock.now()) } ?? letter.removal])
    }
  }

  private func write(_ statements: [Statement]) async throws {
    try await database.commit(Batch([try await lease.precondition()] + statements), lane: .bulk)
  }

  /// Nil if the endpoint took the event, else why not.
  private func post(_ event: Event, to record: WebhookRecord, _ key: WebhookKey) async -> String? {
    let body: [UInt8]
    do {
      let transcoder = JSONTranscoder(try APIDescriptors.pool.get())
      body = Array(try transcoder.decode(try event.serialized(), as: Event.fullName, pretty: false).utf8)
    } catch {
      return "the event has no JSON form: \(error)"
    }
    let now = clock.now()
    let headers = WebhookSignature.headers(
      id: event.eventID, at: now, body: body, secrets: record.secrets(key, at: now))
    let isAllowed = WebhookURL(record.url).map { allowedHosts.contains($0.host) } ?? false
    switch await sender.send(
      .init(url: record.url, headers: headers, body: body, allowsPrivateAddresses: isAllowed))
    {
    case .status(200..<300): return nil
    case .status(let status): return "the endpoint answered with status \(status)"
    case .failed(let reason): return String(reason.prefix(Self.maximumErrorLength))
    }
  }

  /// 1, 2, 4 … seconds, each up to a fifth longer or shorter, so that those that failed together do not come back together.
  private func pause(after failures: Int64) -> Int64 {
    var pause = Self.firstPauseMilliseconds
    for _ in 1..<max(1, min(failures, 40)) { pause = min(pause * 2, Self.maximumPauseMilliseconds) }
    return pause * 4 / 5 + Int64(random.next() % UInt64(pause * 2 / 5))
  }
}

extension Timestamp {
  fileprivate func advanced(milliseconds: Int64) -> Timestamp {
    Timestamp(microsecondsSinceEpoch: microsecondsSinceEpoch + milliseconds * 1_000)
  }
}

/// What we must know of a URL.
struct WebhookURL: Sendable {
  static let maximumLength = 2_000

  /// In lower case, without port.
  let host: String
  let isSecure: Bool

  /// Nil for a text that is no URL of an endpoint: other schemes, user and password, a fragment, spaces.
  init?(_ text: String) {
    guard text.utf8.count <= Self.maximumLength, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      !text.contains("#"), !text.contains("\\")
    else { return nil }
    isSecure = text.hasPrefix("https://")
    guard isSecure || text.hasPrefix("http://") else { return nil }
    let rest = text.dropFirst(isSecure ? 8 : 7)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard !authority.contains("@") else { return nil }
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[...end].lowercased()
    } else {
      host = authority.prefix { $0 != ":" }.lowercased()
    }
    guard !host.isEmpty else { return nil }
  }
}

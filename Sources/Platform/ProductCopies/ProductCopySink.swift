import API
import Core
import EventFollowing
import RPCCore
import Storage
import Synchronization
import UseCases

extension ProductCopies {
  /// The tables of the copies, for the list of a service that keeps some.
  public static let migrations = [
    Migration.keyed(component: "product_copies", version: 1, name: "copies of products", statements),
    Migration.keyed(component: "product_copies", version: 2, name: "events that cannot be read") { keyed in
      // event is the mainstay.platform.v1.Event as it came, for a program that can read it.
      [
        "CREATE TABLE product_copy_unreadable (event_id TEXT NOT NULL PRIMARY KEY, event BLOB NOT NULL) \(keyed)"
      ]
    },
  ]

  private static func statements(_ keyed: String) -> [String] {
    [
      // payload is the mainstay.partner.v1.Product of its newest event; version is that event's, 0 if it must be told anew.
      """
      CREATE TABLE product_copy (code TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, payload BLOB NOT NULL) \(keyed)
      """,
      // One row: up to where the partner service's events are in the copies.
      "CREATE TABLE product_copy_place (place INTEGER NOT NULL PRIMARY KEY, resume_token TEXT NOT NULL) \(keyed)",
      "INSERT INTO product_copy_place (place, resume_token) VALUES (1, '')",
    ]
  }

  /// What keeps the copies right as long as it runs: follows the partner service behind a channel. `status` tells of the last
  /// one.
  public func follower(_ channel: any RPCCore.Channel, clock: any Clock) -> EventFollower {
    let follower = EventFollower(channel: channel, sink: self, types: [ProductChanged.fullName], clock: clock)
    following.follower.withLock { $0 = follower }
    return follower
  }
}

/// Who keeps the copies right, shared by the values that stand for them.
final class Following: Sendable {
  let follower = Mutex<EventFollower?>(nil)
}

extension ProductCopies: EventSink {
  /// Up to where the events are in the copies.
  public func resumeToken() async throws -> String {
    guard let row = try await database.row(Statement("SELECT resume_token FROM product_copy_place")) else {
      throw RPCError.damaged("place in the partner service's events")
    }
    return try row.text(0)
  }

  /// Takes over the newest facts of each product, and the place, in one batch. What is not newer than its copy is left out, so
  /// that an event that comes twice counts once. An event that cannot be read is kept; the copy that it is about stays as it
  /// was.
  public func apply(_ page: SubscribeResponse) async throws -> [Event] {
    let token = try await resumeToken()
    var newest: [String: (version: Int64, product: Product)] = [:]
    var unreadable: [Event] = []
    for event in page.events where event.type == ProductChanged.fullName {
      guard let payload = event.payload, let product = try? ProductChanged(serialized: payload.value).product,
        !product.code.isEmpty
      else {
        unreadable.append(event)
        continue
      }
      if event.aggregateVersion > newest[product.code]?.version ?? 0 {
        newest[product.code] = (event.aggregateVersion, product)
      }
    }
    // Only the one who still finds the place as it was read may move it: two followers cannot overwrite each other's copies.
    var batch = Batch([
      Statement(
        "UPDATE product_copy_place SET resume_token = ? WHERE resume_token = ?",
        [.text(page.resumeToken), .text(token)],
        expect: .changes(1, orFail: BatchConflict(.versionMismatch, subject: "place in the partner service's events")))
    ])
    for (code, (version, product)) in newest {
      batch.statements.append(
        Statement(
          """
          INSERT INTO product_copy (code, version, payload) VALUES (?, ?, ?)
          ON CONFLICT (code) DO UPDATE SET version = excluded.version, payload = excluded.payload
          WHERE product_copy.version < excluded.version
          """, [.text(code), .integer(version), .blob(try product.serialized())]))
    }
    for event in unreadable {
      batch.statements.append(
        Statement(
          "INSERT INTO product_copy_unreadable (event_id, event) VALUES (?, ?) ON CONFLICT DO NOTHING",
          [.text(event.eventID), .blob(try event.serialized())]))
    }
    // What was not told again after a new beginning is no product any more.
    if page.caughtUp { batch.statements.append(Statement("DELETE FROM product_copy WHERE version = 0")) }
    if batch.statements.count == 1, page.resumeToken == token { return [] }
    try await database.commit(batch, lane: .interactive)
    return unreadable
  }

  /// Begins anew. The copies stay until then: a withdrawn product is not to come back on sale in between.
  public func startOver() async throws {
    try await database.commit(
      Batch([
        Statement("UPDATE product_copy_place SET resume_token = ''"), Statement("UPDATE product_copy SET version = 0"),
      ]), lane: .interactive)
  }
}

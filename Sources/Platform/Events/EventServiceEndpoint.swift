import API
import Core
import Protobuf
import RPCCore
import Storage

/// mainstay.platform.v1.EventService over a service's event log. Every service has one.
public struct EventServiceEndpoint: EventServiceHandler {
  /// Most types that a subscriber may name.
  public static let maximumTypes = 64

  private let log: EventLog
  private let subscribers: Subscribers

  /// Serves the events of this log.
  public init(log: EventLog, subscribers: Subscribers) { (self.log, self.subscribers) = (log, subscribers) }

  /// Subscribe: sends what follows the resume token, then what is added, until the subscriber goes away or, if it asked for
  /// that, has caught up. INVALID_ARGUMENT for a token that is none, OUT_OF_RANGE for one of another epoch or from before what is kept, RESOURCE_EXHAUSTED
  /// for a subscriber that does not read.
  public func subscribe(
    _ request: SubscribeRequest, _ responses: ResponseWriter<SubscribeResponse>, _ context: ServerContext
  ) async throws {
    guard request.types.count <= Self.maximumTypes else {
      throw RPCError.badRequest([FieldViolation("types", "has more than \(Self.maximumTypes) entries")])
    }
    let types = Set(request.types)
    let start = try await log.position(token: request.resumeToken)
    responses.sendHeaders()
    let log = log
    try await subscribers.serve(responses) { write in
      try await Self.send(log, from: start, types: types, untilCaughtUp: request.untilCaughtUp, write)
    }
  }

  private static func send(
    _ log: EventLog, from start: ResumePosition, types: Set<String>, untilCaughtUp: Bool,
    _ write: @Sendable (SubscribeResponse) async throws -> Void
  ) async throws {
    var place = start
    // Told once for each time that the log was exhausted, also when there was nothing at all.
    var toldCaughtUp = false
    while true {
      let page = try await log.read(after: place, maximumBytes: Subscribers.maximumPageBytes)
      place = page.next
      let wanted = types.isEmpty ? page.events : page.events.filter { types.contains($0.event.type) }
      if !page.events.isEmpty { toldCaughtUp = false }
      if !wanted.isEmpty || page.isCaughtUp && !toldCaughtUp {
        try await write(
          SubscribeResponse(
            events: wanted.map { Event($0.event) }, resumeToken: place.token, caughtUp: page.isCaughtUp,
            snapshot: page.isSnapshot))
        toldCaughtUp = page.isCaughtUp
      }
      guard page.isCaughtUp else { continue }
      if untilCaughtUp { return }
      try await log.waitForMore(after: page)
    }
  }
}

extension Event {
  /// An event on the wire.
  public init(_ event: OutboxEvent) {
    self.init(
      eventID: event.eventID, type: event.type, aggregateID: event.aggregateID,
      aggregateVersion: event.aggregateVersion, effectiveTime: GoogleTimestamp(wire: event.effectiveTime),
      recordedTime: GoogleTimestamp(wire: event.recordedTime), actor: event.actor,
      payload: GoogleAny(typeURL: "type.googleapis.com/\(event.type)", value: event.payload))
  }
}

extension GoogleTimestamp {
  fileprivate init(wire time: Timestamp) { self.init(seconds: time.seconds, nanos: time.nanoseconds) }
}

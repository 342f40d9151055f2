import API
import RPCCore
import Storage

/// mainstay.platform.v1.EventLogService. Every service with events has one.
struct EventLogEndpoint: EventLogServiceHandler {
  let log: EventLog
  let retention: EventRetentionSetting

  func getEventLog(_ request: GetEventLogRequest, _ context: ServerContext) async throws -> EventLogState {
    let (state, snapshot, rules) = (try await log.state(), try await log.snapshot(), retention.value)
    return EventLogState(
      epoch: log.epoch, lastPosition: state.lastPosition, unnumbered: state.unnumbered,
      removedUpTo: snapshot.removedUpTo, snapshotPosition: snapshot.position, snapshotEvents: snapshot.events,
      snapshotTime: snapshot.position == 0 ? nil : GoogleTimestamp(snapshot.time), retention: rules)
  }
}

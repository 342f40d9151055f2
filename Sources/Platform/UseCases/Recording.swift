import Core
import Protobuf
import RPCCore
import Storage

/// When and by whom a change is recorded.
public struct Recording: Sendable {
  /// When the service took it in.
  public let time: Timestamp
  /// Name of the caller.
  public let actor: String
  /// Which call it came with.
  public let origin: ChangeOrigin

  /// A moment, a caller and a call.
  public init(time: Timestamp, actor: String, origin: ChangeOrigin = ChangeOrigin()) {
    self.time = time
    self.actor = actor
    self.origin = origin
  }
}

extension UseCaseEnvironment {
  /// When, and by whom, what this call changes is recorded.
  public func recording(_ context: ServerContext) -> Recording {
    Recording(
      time: clock.now(), actor: context.caller?.name ?? "unknown",
      origin: ChangeOrigin(method: context.method.path, callingService: context.caller?.via ?? ""))
  }

  /// The event that something happened to an aggregate, which has this version since. `effective` is from when it is true; nil
  /// means from the moment of recording.
  public func event(
    _ payload: some Message, about aggregateID: String, version: Int64, effective: Timestamp? = nil,
    _ recording: Recording, id: EventID? = nil
  ) throws -> OutboxEvent {
    OutboxEvent(
      eventID: (id ?? identifier()).description, aggregateID: aggregateID, aggregateVersion: version,
      type: type(of: payload).fullName, effectiveTime: effective ?? recording.time, recordedTime: recording.time,
      actor: recording.actor, payload: try payload.serialized(), origin: recording.origin)
  }
}

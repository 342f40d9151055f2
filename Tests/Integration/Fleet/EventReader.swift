import API
import RPCCore
import Synchronization

/// A subscriber of a service's events that goes on from its token whenever the stream breaks, and keeps what it was given.
final class EventReader: Sendable {
  private struct State: Sendable {
    var ids: [String] = []
    var token = ""
    var interruptions = 0
    var fault: String?
  }

  let service: String
  private let channels: FleetChannels
  private let state = Mutex(State())

  init(_ service: String, _ channels: FleetChannels) { (self.service, self.channels) = (service, channels) }

  /// The ids of all events so far, in the order in which they came.
  var ids: [String] { state.withLock { $0.ids } }
  var count: Int { state.withLock { $0.ids.count } }
  /// How often the stream broke.
  var interruptions: Int { state.withLock { $0.interruptions } }
  /// An answer that ends a subscription for good: a token that is refused.
  var fault: String? { state.withLock { $0.fault } }

  /// Until it is cancelled.
  func run() async throws {
    let (channels, service) = (channels, service)
    try await channels.run { [self] in
      while !Task.isCancelled, fault == nil {
        do {
          let client = EventServiceClient(channel: channels[service])
          let token = state.withLock { $0.token }
          let stream = try await client.subscribe(
            SubscribeRequest(resumeToken: token), options: channels.options(service))
          while let page = try await stream.next() {
            state.withLock { state in
              state.ids += page.events.map(\.eventID)
              state.token = page.resumeToken
            }
          }
        } catch {
          let failure = RPCError(converting: error)
          state.withLock { state in
            state.interruptions += 1
            if ![.unavailable, .cancelled].contains(failure.code) { state.fault = "\(failure)" }
          }
        }
        if !Task.isCancelled { try await channels.loop.sleep(for: .milliseconds(20)) }
      }
    }
  }
}

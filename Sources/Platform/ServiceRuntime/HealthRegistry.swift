import API
import RPCCore
import Synchronization

/// What a process says of its health: one state for itself and all of its services.
public final class HealthRegistry: Sendable {
  /// Watchers at once; more are refused.
  static let maximumWatchers = 1_000

  private struct State {
    var isServing = false
    var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var nextWaiter: UInt64 = 0
  }

  private let state = Mutex(State())
  private let services: Set<String>

  /// Answers for these services and for "", the process.
  public init(services: [String]) {
    self.services = Set(services + [""])
  }

  /// Whether calls are taken now.
  public var isServing: Bool {
    get { state.withLock { $0.isServing } }
    set {
      let woken = state.withLock { state in
        state.isServing = newValue
        defer { state.waiters.removeAll() }
        return state.waiters.values.map { $0 }
      }
      for waiter in woken { waiter.resume() }
    }
  }

  fileprivate func status(_ service: String) -> HealthCheckResponse.ServingStatus? {
    guard services.contains(service) else { return nil }
    return isServing ? .serving : .notServing
  }

  /// Waits until `isServing` was set again, unless it differs from `known` already; returns early when the task is cancelled.
  fileprivate func change(from known: Bool) async throws(RPCError) {
    let number: UInt64? = state.withLock { state in
      guard state.waiters.count < HealthRegistry.maximumWatchers else { return nil }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    guard let number else { throw RPCError(.resourceExhausted, "too many health watchers") }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let isOver = state.withLock { state in
          if state.isServing != known || Task.isCancelled { return true }
          state.waiters[number] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }
  }
}

/// grpc.health.v1.Health.
struct HealthEndpoint: HealthHandler {
  let registry: HealthRegistry

  func check(_ request: HealthCheckRequest, _ context: ServerContext) async throws -> HealthCheckResponse {
    guard let status = registry.status(request.service) else {
      throw RPCError(.notFound, "no service \(request.service) here")
    }
    var response = HealthCheckResponse()
    response.status = status
    return response
  }

  func watch(
    _ request: HealthCheckRequest, _ responses: ResponseWriter<HealthCheckResponse>, _ context: ServerContext
  ) async throws {
    while !Task.isCancelled {
      let isServing = registry.isServing
      var response = HealthCheckResponse()
      response.status =
        registry.status(request.service).map { _ in isServing ? .serving : .notServing } ?? .serviceUnknown
      try await responses.write(response)
      try await registry.change(from: isServing)
    }
  }
}

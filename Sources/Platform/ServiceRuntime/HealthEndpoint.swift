import API
import RPCCore

/// grpc.health.v1.Health.
struct HealthEndpoint: HealthHandler {
  let registry: HealthRegistry

  func check(_ request: HealthCheckRequest, _ context: ServerContext) async throws -> HealthCheckResponse {
    if request.service == HealthRegistry.integrity, let isSound = registry.isSound {
      return HealthCheckResponse(status: isSound() ? .serving : .notServing)
    }
    guard registry.services.contains(request.service) else {
      throw RPCError(.notFound, "no service \(request.service) here")
    }
    return HealthCheckResponse(status: status(registry.condition))
  }

  func list(_ request: HealthListRequest, _ context: ServerContext) async throws -> HealthListResponse {
    let response = HealthCheckResponse(status: status(registry.condition))
    return HealthListResponse(statuses: Dictionary(uniqueKeysWithValues: registry.services.map { ($0, response) }))
  }

  /// The state at once, then each change of it. The end of the process is told before the stream ends, so that a stop need not
  /// wait for those who watch.
  func watch(
    _ request: HealthCheckRequest, _ responses: ResponseWriter<HealthCheckResponse>, _ context: ServerContext
  ) async throws {
    let isKnown = registry.services.contains(request.service)
    var told: HealthCheckResponse.ServingStatus?
    while !Task.isCancelled {
      let condition = registry.condition
      let status = isKnown ? status(condition) : .serviceUnknown
      if status != told { try await responses.write(HealthCheckResponse(status: status)) }
      told = status
      if condition == .stopping { return }
      try await registry.change(from: condition)
    }
  }

  private func status(_ condition: HealthRegistry.Condition) -> HealthCheckResponse.ServingStatus {
    condition == .serving ? .serving : .notServing
  }
}

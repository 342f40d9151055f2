import RPCCore
import RPCTransport

/// What the operators' listener answers: /healthz (does the process answer), /readyz (does it take calls), /metrics.
struct OperatorAnswers: Sendable {
  let group: EventLoopGroup
  let health: HealthRegistry
  /// Figures of the program itself, in Prometheus' text form.
  var metrics: @Sendable () -> String = { "" }
  /// Figures of the service, gathered from its database.
  var gauges: @Sendable () async throws -> [Gauge] = { [] }

  func answer(_ path: String) async -> OperatorReply {
    switch path {
    case "/healthz": return OperatorReply(status: 200, "ok\n")
    case "/readyz":
      return health.isServing ? OperatorReply(status: 200, "ok\n") : OperatorReply(status: 503, "not serving\n")
    case "/metrics":
      do {
        let text = PrometheusText.text(
          server: try await group.serverMetrics(), client: try await group.clientMetrics(),
          gauges: connectionGauges + (try await gauges()))
        return OperatorReply(status: 200, text + metrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
      } catch {
        return OperatorReply(
          status: 503, "the figures cannot be gathered: the process is stopping, or its database does not answer\n")
      }
    default: return OperatorReply(status: 404, "there are /healthz, /readyz and /metrics\n")
    }
  }

  private var connectionGauges: [Gauge] {
    let counts = group.connectionCounts()
    return [Gauge("mainstay_connections_open", help: "Connections of callers.", value: Double(counts.open))]
      + ConnectionRefusal.allCases.map {
        Gauge(
          "mainstay_connections_refused_total",
          help: "Connections of callers that were closed as they came, by reason.",
          labels: ["reason": $0.rawValue], value: Double(counts.refused[$0] ?? 0))
      }
  }
}

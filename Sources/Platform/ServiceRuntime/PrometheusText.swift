import RPCCore
import RPCTransport

/// gRPC's OpenTelemetry metrics (gRFC A66) in Prometheus' text form, with the names that OpenTelemetry gives them there: dots become
/// underscores, the unit follows, counters end with _total.
enum PrometheusText {
  static func text(server: [MethodFigures], client: [TargetFigures], gauges: [Gauge] = []) -> String {
    var text = ""
    let served = server.map { Labelled(labels: label("grpc_method", $0.method), figures: $0) }
    let called = client.flatMap { target in
      target.methods.map {
        Labelled(labels: label("grpc_method", $0.method) + "," + label("grpc_target", target.target), figures: $0)
      }
    }
    append("grpc_server_call", "calls that were answered", served, to: &text)
    append("grpc_client_attempt", "attempts at calls that were made", called, to: &text)
    for (index, gauge) in gauges.enumerated() {
      append(gauge, isFirst: index == 0 || gauges[index - 1].name != gauge.name, to: &text)
    }
    return text
  }

  private static func append(_ gauge: Gauge, isFirst: Bool, to text: inout String) {
    if isFirst {
      let type = gauge.name.hasSuffix("_total") ? "counter" : "gauge"
      text += "# HELP \(gauge.name) \(gauge.help)\n# TYPE \(gauge.name) \(type)\n"
    }
    let labels = gauge.labels.sorted { $0.key < $1.key }.map { label($0.key, $0.value) }.joined(separator: ",")
    text += gauge.name + (labels.isEmpty ? "" : "{\(labels)}") + " \(number(gauge.value))\n"
  }

  private struct Labelled {
    let labels: String
    let figures: MethodFigures
  }

  private static func append(_ name: String, _ what: String, _ all: [Labelled], to text: inout String) {
    text += "# HELP \(name)_started_total Number of \(what).\n# TYPE \(name)_started_total counter\n"
    for one in all { text += "\(name)_started_total{\(one.labels)} \(one.figures.started)\n" }
    appendHistograms("\(name)_duration_seconds", "Duration of \(what), by status.", all, \.duration, to: &text)
    appendHistograms(
      "\(name)_sent_total_compressed_message_size_bytes", "Bytes of messages sent in \(what), by status.", all,
      \.sentBytes, to: &text)
    appendHistograms(
      "\(name)_rcvd_total_compressed_message_size_bytes", "Bytes of messages received in \(what), by status.", all,
      \.receivedBytes, to: &text)
  }

  private static func appendHistograms(
    _ name: String, _ help: String, _ all: [Labelled], _ histogram: KeyPath<MethodFigures.Ended, Histogram>,
    to text: inout String
  ) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
    for one in all {
      for code in StatusCode.allCases {
        guard let ended = one.figures.ended[code.rawValue] else { continue }
        let labels = one.labels + "," + label("grpc_status", code.description)
        append(name, labels, ended[keyPath: histogram], to: &text)
      }
    }
  }

  private static func append(_ name: String, _ labels: String, _ histogram: Histogram, to text: inout String) {
    var total = 0
    for (index, count) in histogram.counts.enumerated() {
      total += count
      let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
      text += "\(name)_bucket{\(labels),le=\"\(bound)\"} \(total)\n"
    }
    text += "\(name)_sum{\(labels)} \(number(histogram.sum))\n\(name)_count{\(labels)} \(total)\n"
  }

  /// Whole numbers without a fraction.
  private static func number(_ value: Double) -> String {
    value.rounded() == value && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
  }

  private static func label(_ name: String, _ value: String) -> String {
    var escaped = ""
    for character in value.unicodeScalars {
      switch character {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(character)
      }
    }
    return "\(name)=\"\(escaped)\""
  }
}

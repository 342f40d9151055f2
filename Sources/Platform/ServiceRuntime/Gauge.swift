/// A figure of a service as it is now, for /metrics.
public struct Gauge: Sendable, Equatable {
  /// For example "mainstay_events_unnumbered"; gauges of one name must stand together.
  public let name: String
  /// What it says, in one line.
  public let help: String
  /// What tells it from others of its name.
  public let labels: [String: String]
  /// The value, in the unit that the name ends with.
  public let value: Double

  /// A figure.
  public init(_ name: String, help: String, labels: [String: String] = [:], value: Double) {
    self.name = name
    self.help = help
    self.labels = labels
    self.value = value
  }
}

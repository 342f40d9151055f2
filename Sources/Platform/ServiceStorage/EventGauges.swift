import Core
import EventFollowing
import ServiceRuntime
import UseCases
import Webhooks

extension Gauge {
  /// A service's events, as its process counts them.
  public static func events(_ figures: EventFigures) -> [Gauge] {
    let partition = ["partition": "\(figures.partition)"]
    return [
      Gauge(
        "mainstay_events_position", help: "Position of the last numbered event.", labels: partition,
        value: Double(figures.lastPosition)),
      Gauge(
        "mainstay_events_unnumbered", help: "Events that are committed and have no position yet.", labels: partition,
        value: Double(figures.unnumbered)),
      Gauge(
        "mainstay_event_subscribers", help: "Streams of subscribers now.", labels: partition,
        value: Double(figures.subscribers)),
      Gauge(
        "mainstay_event_subscribers_cut_off_total", help: "Subscribers that were cut off because they did not read.",
        labels: partition, value: Double(figures.subscribersCutOff)),
    ]
  }

  /// What systems outside have posted to a service.
  static func posts(_ figures: WebhookInbox.Figures, unapplied: Int64) -> [Gauge] {
    let outcomes = [("applied", figures.applied), ("kept", figures.kept), ("refused", figures.refused)]
    return outcomes.map {
      Gauge(
        "mainstay_webhook_posts_total", help: "Posts of systems outside, by what became of them.",
        labels: ["outcome": $0.0], value: Double($0.1))
    } + [
      Gauge(
        "mainstay_webhook_unapplied_posts", help: "Posts that were taken and could not be applied: see to them.",
        value: Double(unapplied))
    ]
  }

  /// How this service follows others, by their names.
  public static func followers(_ followers: [(name: String, status: EventFollower.Status)], at now: Timestamp)
    -> [Gauge]
  {
    let all = followers.sorted { $0.name < $1.name }
    // Without a value before it has ever caught up: 0 would say that it has.
    let lags = all.compactMap { one in
      one.status.lagSeconds(at: now).map {
        Gauge(
          "mainstay_event_follower_lag_seconds", help: "Time since this service knew all events of another.",
          labels: ["service": one.name], value: $0)
      }
    }
    return lags
      + all.map {
        Gauge(
          "mainstay_event_follower_connected", help: "Whether events of another service come in: 1 or 0.",
          labels: ["service": $0.name], value: $0.status.isConnected ? 1 : 0)
      }
  }
}

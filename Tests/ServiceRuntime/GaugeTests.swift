import Testing

@testable import ServiceRuntime

@Suite struct GaugeTests {
  @Test func figuresOfOneNameStandTogetherUnderOneHead() {
    let text = PrometheusText.text(
      server: [], client: [],
      gauges: [
        Gauge("mainstay_lag_seconds", help: "Lag.", labels: ["service": "agent"], value: 1.5),
        Gauge("mainstay_lag_seconds", help: "Lag.", labels: ["service": "a\"b", "at": "x"], value: 0),
        Gauge("mainstay_cut_off_total", help: "Cut off.", value: 3),
      ])
    let own = text.split(separator: "\n").drop { !$0.contains("mainstay_") }.joined(separator: "\n")
    #expect(
      own == """
        # HELP mainstay_lag_seconds Lag.
        # TYPE mainstay_lag_seconds gauge
        mainstay_lag_seconds{service="agent"} 1.5
        mainstay_lag_seconds{at="x",service="a\\"b"} 0
        # HELP mainstay_cut_off_total Cut off.
        # TYPE mainstay_cut_off_total counter
        mainstay_cut_off_total 3
        """)
  }
}

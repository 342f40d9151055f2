import API
import Core
import Foundation
import MainstayTesting
import Protobuf
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

@testable import Gateway

/// Time that stands still: no token comes back.
private struct StandingClock: Clock {
  func now() -> Timestamp { SystemClock().now() }
  func monotonicNanoseconds() -> UInt64 { 1_000_000_000_000 }
}

@Suite(.timeLimit(.minutes(10))) struct RateTests {
  private static let health = "/grpc.health.v1.Health/Check"

  private func check(_ channel: ClientChannel) async throws {
    var options = CallOptions()
    options.metadata.add("mainstay-service", "customer")
    _ = try await HealthClient(channel: channel).check(HealthCheckRequest(), options: options)
  }

  private func refusal(_ channel: ClientChannel) async -> RPCError? {
    do {
      try await check(channel)
      return nil
    } catch { return error as? RPCError }
  }

  @Test func whoHasUsedUpItsRateIsRefusedWithTheTimeToComeBack() async throws {
    let scene = try await GatewayScene(
      gatewayClock: StandingClock(), settings: "rates: {callers: {caller-agent: {read: 4 burst 2}}}")
    let errors = try await scene.call(as: "agent") { channel in
      var errors: [RPCError?] = []
      for _ in 0..<3 { errors.append(await refusal(channel)) }
      return errors
    }
    #expect(errors[0] == nil && errors[1] == nil)
    let error = try #require(errors[2])
    #expect(error.code == .resourceExhausted)
    #expect(error.metadata.first("grpc-retry-pushback-ms") == "250")
    #expect(error.details.map(\.typeName) == ["google.rpc.RetryInfo", "google.rpc.QuotaFailure"])
    let delay = try RPCRetryInfo(serialized: error.details[0].value).retryDelay
    #expect(delay?.seconds == 0 && delay?.nanos == 250_000_000)
    let violation = try RPCQuotaFailure(serialized: error.details[1].value).violations.first
    #expect(violation?.subject == "caller:caller-agent")
    // Others have buckets of their own.
    let other = try await scene.call(as: "auditor") { await refusal($0) }
    #expect(other == nil)
    await scene.stop()
  }

  @Test func curlIsToldByItsStatusAndRetryAfter() async throws {
    let scene = try await GatewayScene(
      gatewayClock: StandingClock(), settings: "rates: {callers: {caller-agent: {read: 1 burst 1}}}")
    _ = try scene.authority.issue("caller-agent", role: "agent", hosts: [])
    let folder = scene.authority.folder
    var codes: [String] = []
    for _ in 0..<2 {
      let heads = folder.file("heads")
      let done = try await Program.run(
        "/usr/bin/curl",
        [
          "--silent", "--http2", "--cacert", folder.file("ca.pem"), "--cert", folder.file("caller-agent-client.pem"),
          "--key", folder.file("caller-agent-client-key.pem"), "--output", folder.file("body"), "--dump-header", heads,
          "--header", "content-type: application/json", "--header", "mainstay-service: customer", "--data", "{}",
          "https://localhost:\(scene.gateway.port)\(RateTests.health)",
        ])
      #expect(done.code == 0, "\(done.errors)")
      codes.append(try String(contentsOfFile: heads, encoding: .utf8))
    }
    #expect(codes[0].hasPrefix("HTTP/2 200"))
    #expect(codes[1].hasPrefix("HTTP/2 429") && codes[1].contains("\r\nretry-after: 1\r\n"))
    let body = try Data(contentsOf: URL(fileURLWithPath: folder.file("body")))
    let json = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
    #expect(json["code"] as? String == "resource_exhausted")
    let details = json["details"] as? [[String: Any]]
    #expect(details?.first?["debug"] as? NSDictionary == ["retryDelay": "1s"] as NSDictionary)
    await scene.stop()
  }

  @Test func oneRuleGoesBeforeAnother() throws {
    let settings = try settings(
      """
      rates:
        read: 10
        write: 20 burst 30
        bulk: 0
        roles: {agent: {read: 100}, broker: {read: 200 burst 201}}
        callers: {a.b: {write: 0, read: 7}}
      """)
    let rules = settings.rates
    let anybody = rules.rates(of: Caller(name: "x", roles: ["auditor"]))
    #expect(anybody.read == Rate(perSecond: 10, burst: 20) && anybody.write == Rate(perSecond: 20, burst: 30))
    #expect(anybody.bulk == nil)
    let both = rules.rates(of: Caller(name: "y", roles: ["agent", "broker"]))
    #expect(both.read == Rate(perSecond: 200, burst: 201) && both.write == anybody.write)
    let named = rules.rates(of: Caller(name: "a.b", roles: ["agent"]))
    #expect(named.read == Rate(perSecond: 7, burst: 14) && named.write == nil)
    for role in ["service", "administrator"] {
      let rates = rules.rates(of: Caller(name: "z", roles: [role]))
      #expect(rates.read == nil && rates.write == nil && rates.bulk == nil)
    }
  }

  @Test(arguments: [
    "rates: {read: fast}", "rates: {read: 5 burst}", "rates: {read: 5 burst 0}", "rates: {read: -1}",
    "rates: {roles: {agent: 5}}", "concurrency: {least: 30, most: 20}", "deadline: {unary_seconds: 100000}",
  ])
  func wrongSettingsAreNamed(_ text: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try settings(text) }
    let section = String(text.prefix { $0 != ":" })
    #expect(error?.description.hasPrefix(section + ".") == true, "\(error?.description ?? "")")
  }

  @Test func methodsAreClassedByTheirOptions() throws {
    let classes = MethodClasses(try APIDescriptors.pool.get())
    #expect(classes[CustomerServiceMethods.getCustomer] == .read)
    #expect(classes[CustomerServiceMethods.updateParty] == .write)
    #expect(classes[CustomerServiceMethods.importParties] == .bulk)
    #expect(classes[ReportingServiceMethods.runReport] == .bulk)
    #expect(classes[JobServiceMethods.startJob] == .bulk)
    #expect(classes[EventServiceMethods.subscribe] == .bulk && EventServiceMethods.subscribe.isSubscription)
    #expect(!CustomerServiceMethods.importParties.isSubscription)
  }

  @Test func newRatesHoldForTheNextCall() throws {
    var settings = ProtectionSettings()
    let rates = CallerRates()
    let caller = Caller(name: "x", roles: [])
    settings.rates.everybody.read = Rate(perSecond: 1, burst: 1)
    #expect(rates.take(.read, of: caller, settings.rates, version: 0, at: 5) == nil)
    #expect(rates.take(.read, of: caller, settings.rates, version: 0, at: 5) != nil)
    settings.rates.everybody.read = nil
    #expect(rates.take(.read, of: caller, settings.rates, version: 1, at: 5) == nil)
    #expect(rates.refusals(of: .read) == 1)
  }

  private func settings(_ yaml: String) throws -> ProtectionSettings {
    let folder = try TemporaryFolder()
    let file = try folder.write("gateway.yaml", "\(yaml)\n")
    let keys = GatewayApplication.keys
    return try ProtectionSettings(Configuration(arguments: ["--config", file], environment: [:], keys: keys))
  }
}

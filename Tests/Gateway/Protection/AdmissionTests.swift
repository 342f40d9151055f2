import API
import Core
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct AdmissionTests {
  private static let people = Caller(name: "li", roles: ["agent"])
  private static let program = Caller(name: "importer", roles: ["service"])

  /// Five calls at once to a service: one of them kept for people.
  private func protection() throws -> Protection {
    var settings = ProtectionSettings()
    settings.concurrency = .init(least: 5, most: 5)
    return Protection(settings, try APIDescriptors.pool.get())
  }

  private func admit(_ method: MethodDescriptor, _ caller: Caller, _ protection: Protection) -> Result<
    Admission?, RPCError
  > {
    Result { () throws(RPCError) in
      try protection.admit(method, to: "customer", caller: caller, at: 1_000, SystemRandom())
    }
  }

  private func isRefused(_ method: MethodDescriptor, _ caller: Caller, _ protection: Protection) -> Bool {
    if case .failure(let error) = admit(method, caller, protection) { return error.code == .resourceExhausted }
    return false
  }

  private func figure(_ name: String, _ protection: Protection, _ labels: [String: String] = [:]) -> Double? {
    protection.gauges.first { gauge in
      gauge.name == name && labels.allSatisfy { gauge.labels[$0.key] == $0.value }
    }?.value
  }

  @Test func programsAreRefusedBeforePeopleAndSubscriptionsNever() throws {
    let protection = try protection()
    let read = CustomerServiceMethods.getCustomer
    for _ in 0..<4 { #expect(!isRefused(read, Self.program, protection)) }
    #expect(isRefused(read, Self.program, protection))
    #expect(isRefused(CustomerServiceMethods.importParties, Self.people, protection))
    #expect(!isRefused(EventServiceMethods.subscribe, Self.program, protection))
    #expect(!isRefused(read, Self.people, protection))
    // Full: but people have a fifth in any case, and have it already.
    #expect(isRefused(read, Self.people, protection))
    #expect(figure("mainstay_gateway_calls_in_flight", protection) == 5)
    let refused = "mainstay_gateway_calls_refused_total"
    #expect(figure(refused, protection, ["reason": "concurrency", "class": "read"]) == 2)
    #expect(figure(refused, protection, ["reason": "concurrency", "class": "bulk"]) == 1)
  }

  @Test func aRefusalSaysWhenToComeBack() throws {
    let protection = try protection()
    for _ in 0..<5 { _ = admit(CustomerServiceMethods.getCustomer, Self.people, protection) }
    guard case .failure(let error) = admit(CustomerServiceMethods.getCustomer, Self.people, protection) else {
      Issue.record("a sixth call was let in")
      return
    }
    #expect(error.code == .resourceExhausted)
    let milliseconds = error.metadata.first("grpc-retry-pushback-ms").flatMap { Int($0) }
    #expect((100...300).contains(milliseconds ?? 0))
    #expect(error.details.map(\.typeName) == ["google.rpc.RetryInfo"])
  }

  @Test func aPlaceIsGivenBackHoweverTheCallEnds() async throws {
    let scene = try await GatewayScene(settings: "concurrency: {least: 1, most: 1}")
    func check(_ service: String) async throws -> StatusCode {
      try await scene.call(as: "agent") { channel in
        var options = CallOptions(timeout: .seconds(100))
        options.metadata.add("mainstay-service", service)
        do {
          _ = try await HealthClient(channel: channel).check(HealthCheckRequest(), options: options)
          return .ok
        } catch { return RPCError(converting: error).code }
      }
    }
    // A lost place would refuse all that follow.
    for _ in 0..<2 {
      #expect(try await check("customer") == .ok)
      #expect(try await check("partner") == .unavailable)
    }
    await scene.stop()
  }

  @Test func callsGetNoMoreTimeThanIsSet() async throws {
    let scene = try await GatewayScene(settings: "deadline: {bulk_seconds: 5}")
    let lefts = try await scene.call(as: "auditor") { channel in
      var lefts: [Int64] = []
      for timeout in [.seconds(100), .seconds(2)] as [Duration] {
        var options = CallOptions(timeout: timeout)
        options.metadata.add("mainstay-service", "customer")
        let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
        lefts.append(try await replies.next()?.events.first?.aggregateVersion ?? 0)
      }
      return lefts
    }
    #expect(lefts.map { (1...5_000).contains($0) } == [true, true])
    #expect(lefts[1] <= 2_000)
    await scene.stop()
  }

  @Test func aCallThatNamesNoTimeEndsWithTheLongest() async throws {
    let scene = try await GatewayScene(settings: "deadline: {bulk_seconds: 1}")
    let code = try await scene.call(as: "auditor") { channel -> StatusCode in
      var options = CallOptions()
      options.metadata.add("mainstay-service", "customer")
      options.metadata.add("x-hang", "1")
      let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
      do {
        while try await replies.next() != nil {}
        return .ok
      } catch { return RPCError(converting: error).code }
    }
    #expect(code == .deadlineExceeded)
    await scene.stop()
  }
}

/// With real programs: calls of people beside many more of a program.
@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-interop")))
struct PriorityTests {
  @Test func programsAreTurnedAwayAndPeopleAreNot() async throws {
    let site = try await ReplicatedSite(settings: "concurrency: {least: 20, most: 20}")
    func load(_ name: String, role: String, streams: Int, _ arguments: [String]) throws -> Program.Running {
      _ = try site.authority.issue(name, role: role, hosts: [])
      return try Program.Running(
        "mainstay-load",
        [
          "grpc.testing.TestService/UnaryCall", "--target", "127.0.0.1:\(site.gatewayPort)", "--ca",
          site.folder.file("ca.pem"), "--cert", site.folder.file("\(name)-client.pem"), "--key",
          site.folder.file("\(name)-client-key.pem"), "--connections", "2", "--streams", "\(streams)", "--deadline",
          "60s", "--json", site.folder.file("\(name).json"),
        ] + arguments)
    }
    // 128 calls at once of a program find 16 places; 4 of people find theirs.
    let program = try load("importer", role: "service", streams: 64, ["--duration", "3s", "--error-budget", "100%"])
    let people = try load("li", role: "agent", streams: 2, ["--duration", "2s"])
    let result = try await people.result()
    #expect(result.code == 0, "\(result.output) \(result.errors)")
    _ = try await program.result()
    let figures = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: site.folder.file("importer.json"))))
        as? [String: Any])
    let outcomes = try #require(figures["outcomes"] as? [String: Int])
    #expect(Set(outcomes.keys) == ["OK", "RESOURCE_EXHAUSTED"], "\(outcomes)")
    try await site.stop()
  }
}

import API
import Core
import Foundation
import Logging
import MainstayTesting
import RPCCore
import RPCTransport
import ServiceRuntime
import Synchronization
import Testing

/// Keeps what is logged: message and metadata of each record.
private final class KeptLog: Sendable {
  private let records = Mutex<[String]>([])

  var lines: [String] { records.withLock { $0 } }

  func logger() -> Logger { Logger(label: "test") { _ in Handler(log: self) } }

  private struct Handler: LogHandler {
    let log: KeptLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: " ")
      log.records.withLock { $0.append("\(event.message) \(facts)") }
    }
  }
}

/// From W3C's Trace Context, 3.2.
private let standardTrace = "0af7651916cd43dd8448eb211c80319c"
private let standardHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

@Suite(.timeLimit(.minutes(10))) struct ObservationTests {
  private func subscribe(_ channel: ClientChannel, _ metadata: [(String, String)]) async throws -> Event {
    var options = CallOptions(timeout: .seconds(20))
    options.metadata.add("mainstay-service", "customer")
    for (key, value) in metadata { options.metadata.add(key, value) }
    let replies = try await EventServiceClient(channel: channel).subscribe(SubscribeRequest(), options: options)
    let event = try #require(try await replies.next()?.events.first)
    #expect(try await replies.next() == nil)
    return event
  }

  /// The access log's lines once there are so many.
  private func lines(_ file: String, count: Int) async throws -> [[String: Any]] {
    var lines: [[String: Any]] = []
    await eventually {
      let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
      lines = text.split(separator: "\n").compactMap {
        try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
      }
      return lines.count >= count
    }
    return lines
  }

  @Test func aServiceGetsTheClientsTraceWithTheGatewaysSpan() async throws {
    let scene = try await GatewayScene()
    let event = try await scene.call(as: "administrator") {
      try await subscribe($0, [("traceparent", standardHeader), ("tracestate", "a=1")])
    }
    #expect(event.eventID == "a=1")
    let parts = event.aggregateID.split(separator: "-")
    #expect(parts.count == 4 && parts[1] == standardTrace && parts[3] == "01")
    #expect(parts[2] != "b7ad6b7169203331" && parts[2].count == 16)
    await scene.stop()
  }

  @Test(arguments: [
    nil, "", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
  ])
  func aCallWithoutAValidTraceBeginsOne(header: String?) async throws {
    let scene = try await GatewayScene()
    // What vendors add says nothing without the trace that it belongs to (W3C Trace Context, 3.3).
    let metadata = (header.map { [("traceparent", $0)] } ?? []) + [("tracestate", "a=1")]
    let event = try await scene.call(as: "administrator") { try await subscribe($0, metadata) }
    let sent = event.aggregateID
    #expect(event.eventID == "")
    let new = try #require(Array(sent.utf8).withUnsafeBytes(TraceContext.init(header:)))
    #expect(new.traceID != standardTrace && sent.utf8.count == 55)
    let next = try await scene.call(as: "administrator") { try await subscribe($0, metadata).aggregateID }
    #expect(next != sent)
    await scene.stop()
  }

  @Test func aLaterVersionOfTheHeaderIsReadAsFarAsItIsKnown() {
    let later = Array("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more".utf8)
    let trace = later.withUnsafeBytes(TraceContext.init(header:))
    #expect(trace?.traceID == standardTrace && trace?.span == 0xb7ad_6b71_6920_3331)
    #expect(trace?.withHeader { String(decoding: $0, as: UTF8.self) } == standardHeader)
    for length in 0..<55 {
      #expect(later.prefix(length).withUnsafeBytes(TraceContext.init(header:)) == nil)
    }
  }

  @Test func theAccessLogHasALineForEachCallAndNobodysName() async throws {
    let scene = try await GatewayScene(settings: "access_log: access.jsonl")
    let file = scene.authority.folder.file("access.jsonl")
    for role in ["administrator", "agent"] {
      _ = try? await scene.call(as: role) { try await subscribe($0, [("traceparent", standardHeader)]) }
    }
    _ = try? await scene.call(as: "service") { try await subscribe($0, []) }
    let method = MethodDescriptor(service: "nobody.v1.Nothing", name: "Secret", kind: .unary)
    _ = try? await scene.call(as: "agent") {
      try await $0.unary(method, framed: [0, 0, 0, 0, 0], CallOptions(timeout: .seconds(20))).message
    }
    let lines = try await lines(file, count: 4)
    #expect(lines.map { $0["code"] as? String } == ["OK", "PERMISSION_DENIED", "OK", "UNIMPLEMENTED"])
    let subscribing = "mainstay.platform.v1.EventService/Subscribe"
    #expect(lines.map { $0["method"] as? String } == [subscribing, subscribing, subscribing, "unknown"])
    #expect(lines[0]["trace_id"] as? String == standardTrace && lines[0]["upstream"] as? String == "customer")
    #expect(lines[1]["upstream"] == nil && lines[1]["protocol"] as? String == "grpc")
    #expect(lines[0]["attempts"] as? Int == 1 && lines[0]["request_bytes"] as? Int == 5)
    #expect((lines[0]["response_bytes"] as? Int ?? 0) > 20 && lines[0]["duration_us"] is Int)
    #expect((lines[0]["caller"] as? String)?.wholeMatch(of: /administrator#[0-9a-f]{8}/) != nil)
    #expect(lines[2]["caller"] as? String == "caller-service")
    let text = try String(contentsOfFile: file, encoding: .utf8)
    for name in ["caller-administrator", "caller-agent", "Secret", "127.0.0.1"] { #expect(!text.contains(name)) }
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    await scene.stop()
  }

  @Test func aLogFileThatIsMovedAwayIsBegunAnew() async throws {
    let scene = try await GatewayScene(settings: "access_log: access.jsonl")
    let folder = scene.authority.folder
    _ = try await scene.call(as: "administrator") { try await subscribe($0, []) }
    _ = try await lines(folder.file("access.jsonl"), count: 1)
    try FileManager.default.moveItem(atPath: folder.file("access.jsonl"), toPath: folder.file("access.jsonl.1"))
    _ = try await scene.call(as: "administrator") { try await subscribe($0, [("traceparent", standardHeader)]) }
    #expect(try await lines(folder.file("access.jsonl"), count: 1).map { $0["trace_id"] as? String } == [standardTrace])
    #expect(try await lines(folder.file("access.jsonl.1"), count: 1).count == 1)
    await scene.stop()
  }

  @Test func aSlowUnaryCallIsToldWithItsTraceByGatewayAndService() async throws {
    let log = KeptLog()
    let scene = try await GatewayScene(logger: log.logger(), slowMilliseconds: 1)
    _ = try await scene.call(as: "administrator") { channel in
      // A stream may take its time.
      _ = try await subscribe(channel, [("traceparent", standardHeader)])
      var options = CallOptions(timeout: .seconds(20))
      options.metadata.add("mainstay-service", "customer")
      options.metadata.add("traceparent", standardHeader)
      return try await EventLogServiceClient(channel: channel).getEventLog(GetEventLogRequest(), options: options)
    }
    await eventually { log.lines.filter { $0.hasPrefix("slow call") }.count >= 2 }
    let slow = log.lines.filter { $0.hasPrefix("slow call") }
    #expect(slow.count == 2)
    for line in slow {
      #expect(line.contains("method=mainstay.platform.v1.EventLogService/GetEventLog"))
      #expect(line.contains("trace_id=\(standardTrace)") && line.contains("code=OK"))
    }
    await scene.stop()
  }
}

import Core
import Foundation
import MainstayTesting
import Testing

/// What curl got.
private struct Answer {
  let status: Int
  let headers: [String: String]
  let body: [UInt8]

  var text: String { String(decoding: body, as: UTF8.self) }

  var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:] }
}

extension ReplicatedSite {
  /// A request by curl to the gateway, over HTTP/2.
  fileprivate func curl(
    _ path: String, _ headers: [String] = [], body: [UInt8]? = nil, method: String? = nil
  ) async throws -> Answer {
    let (output, heads) = (folder.file("curl-body"), folder.file("curl-headers"))
    for file in [output, heads] { try? FileManager.default.removeItem(atPath: file) }
    var arguments = [
      "--silent", "--http2", "--cacert", folder.file("ca.pem"), "--output", output, "--dump-header", heads,
    ]
    for header in headers { arguments += ["--header", header] }
    if let body {
      try Data(body).write(to: URL(fileURLWithPath: folder.file("curl-request")))
      arguments += ["--data-binary", "@\(folder.file("curl-request"))"]
    }
    if let method { arguments += ["--request", method] }
    let done = try await Program.run("/usr/bin/curl", arguments + ["https://127.0.0.1:\(gatewayPort)\(path)"])
    #expect(done.code == 0, "\(done.errors)")
    let lines = try String(contentsOfFile: heads, encoding: .utf8).split(separator: "\r\n")
    var found: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { found[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    let body = (try? Data(contentsOf: URL(fileURLWithPath: output))).map { [UInt8]($0) } ?? []
    return Answer(status: status, headers: found, body: body)
  }

  fileprivate func connect(_ method: String, _ json: String, _ headers: [String] = []) async throws -> Answer {
    try await curl(
      "/grpc.testing.TestService/\(method)",
      ["content-type: application/json", "connect-protocol-version: 1"] + headers,
      body: Array(json.utf8))
  }
}

private func withSite(settings: String = "", _ body: (ReplicatedSite) async throws -> Void) async throws {
  let site = try await ReplicatedSite(settings: settings)
  do { try await body(site) } catch {
    try await site.stop()
    throw error
  }
  try await site.stop()
}

/// gRPC's frame around a message.
private func frame(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
  [flag] + withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
}

/// SimpleRequest with response_size (field 2), and SimpleResponse with a payload (1) whose body (2) has so many zeros.
private let request: [UInt8] = [0x10, 3]
private let response: [UInt8] = [0x0A, 5, 0x12, 3, 0, 0, 0]

@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay-gateway") && Program.exists("mainstay-interop")))
struct WebTests {
  @Test func `curl calls with JSON, as the Connect protocol has it`() async throws {
    try await withSite { site in
      let answer = try await site.connect("UnaryCall", #"{"responseSize": 3}"#)
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/json")
      #expect(answer.json as NSDictionary == ["payload": ["body": "AAAA"]] as NSDictionary)
    }
  }

  @Test func `Messages may be protobuf, and gzip`() async throws {
    try await withSite { site in
      let path = "/grpc.testing.TestService/UnaryCall"
      let answer = try await site.curl(path, ["content-type: application/proto"], body: request)
      #expect(answer.status == 200 && answer.headers["content-type"] == "application/proto")
      #expect(answer.body == response)
      // gzip -n of {"responseSize": 3}, by Python's gzip.compress(…, mtime=0).
      let zipped = try #require(Base64.decode("H4sIAAAAAAACA6tWKkotLsjPK04NzqxKVbJSMK4FAJf7zLQTAAAA"))
      let inflated = try await site.curl(
        path, ["content-type: application/json", "content-encoding: gzip"], body: zipped)
      #expect(inflated.json as NSDictionary == ["payload": ["body": "AAAA"]] as NSDictionary)
      let torn = try await site.curl(
        path, ["content-type: application/json", "content-encoding: gzip"], body: Array(zipped.dropLast(12)))
      #expect(torn.status == 400)
    }
  }

  @Test func `A reading call may be a GET`() async throws {
    try await withSite { site in
      let path = "/grpc.testing.TestService/UnaryCall?connect=v1&encoding=json&message="
      #expect(try await site.curl(path + "%7B%22responseSize%22%3A3%7D").json["payload"] != nil)
      // EAM is base64 of the protobuf message.
      let proto = try await site.curl(
        "/grpc.testing.TestService/UnaryCall?connect=v1&encoding=proto&base64=1&message=EAM")
      #expect(proto.body == response)
      let streaming = try await site.curl(
        "/grpc.testing.TestService/StreamingOutputCall?connect=v1&encoding=json&message=%7B%7D")
      #expect(streaming.status == 501)
    }
  }

  @Test func `An error is an HTTP status with code, message and details`() async throws {
    try await withSite { site in
      let unknown = try await site.connect("UnaryCall", #"{"responseStatus": {"code": 5, "message": "no \"such\" 事"}}"#)
      #expect(unknown.status == 404)
      #expect(unknown.json["code"] as? String == "not_found")
      #expect(unknown.json["message"] as? String == "no \"such\" 事")
      let bad = try await site.connect("UnaryCall", #"{"payload": {"body": 7}}"#)
      #expect(bad.status == 400)
      let detail = (bad.json["details"] as? [[String: Any]])?.first
      #expect(detail?["type"] as? String == "google.rpc.BadRequest")
      let debug = detail?["debug"] as? [String: Any]
      let violation = (debug?["fieldViolations"] as? [[String: Any]])?.first
      #expect(violation?["field"] as? String == "payload.body")
      let value = try #require((detail?["value"] as? String).flatMap { Base64.decode($0) })
      #expect(value.count > 4 && value[0] == 0x0A)
    }
  }

  @Test(arguments: [
    (#"{"responseSize": 3"#, 400, "invalid_argument"), (#"{"nothing": 1}"#, 400, "invalid_argument"),
    ("", 400, "invalid_argument"),
    (String(repeating: #"{"payload":"#, count: 500), 400, "invalid_argument"),
  ])
  func `JSON that is wrong is refused with what is wrong`(json: String, status: Int, code: String) async throws {
    try await withSite { site in
      let answer = try await site.connect("UnaryCall", json)
      #expect(answer.status == status)
      #expect(answer.json["code"] as? String == code)
      #expect((answer.json["message"] as? String)?.isEmpty == false)
    }
  }

  @Test func `What is no call is refused, and the right code says why`() async throws {
    try await withSite { site in
      #expect(try await site.connect("NoSuch", "{}").json["code"] as? String == "unimplemented")
      #expect(try await site.connect("UnaryCall", "{}", ["connect-timeout-ms: soon"]).status == 400)
      #expect(try await site.connect("UnaryCall", "{}", ["content-encoding: br"]).status == 501)
      let other = try await site.curl(
        "/grpc.testing.TestService/UnaryCall", ["content-type: text/plain"], body: [0x7B, 0x7D])
      #expect(other.status == 415)
      let denied = try await site.curl(
        "/mainstay.platform.v1.JobService/ListJobs", ["content-type: application/json", "mainstay-service: interop"],
        body: [0x7B, 0x7D])
      #expect(denied.status == 401)
    }
  }

  @Test func `gRPC-Web calls, in bytes and in base64`() async throws {
    try await withSite { site in
      let path = "/grpc.testing.TestService/UnaryCall"
      let binary = try await site.curl(
        path, ["content-type: application/grpc-web+proto", "x-grpc-web: 1"], body: frame(request))
      #expect(binary.status == 200 && binary.headers["content-type"] == "application/grpc-web+proto")
      #expect(Array(binary.body.prefix(frame(response).count)) == frame(response))
      let trailers = Array(binary.body.dropFirst(frame(response).count))
      #expect(trailers.first == 0x80)
      #expect(String(decoding: trailers.dropFirst(5), as: UTF8.self).hasPrefix("grpc-status: 0\r\n"))

      let text = try await site.curl(
        path, ["content-type: application/grpc-web-text"], body: Array(Base64.encode(frame(request), padded: true).utf8)
      )
      let groups = text.text.split(separator: "=", omittingEmptySubsequences: true)
      let decoded = groups.flatMap { Base64.decode($0) ?? [] }
      #expect(decoded == binary.body)
      let spoiled = try await site.curl(path, ["content-type: application/grpc-web-text"], body: Array("***".utf8))
      #expect(spoiled.headers["grpc-status"] == "3")
    }
  }

  @Test func `gRPC-Web streams replies`() async throws {
    try await withSite { site in
      // Two response_parameters (2) with a size (1).
      let answer = try await site.curl(
        "/grpc.testing.TestService/StreamingOutputCall", ["content-type: application/grpc-web"],
        body: frame([0x12, 2, 8, 3, 0x12, 2, 8, 3]))
      let twice = frame(response) + frame(response)
      #expect(Array(answer.body.prefix(twice.count)) == twice)
      #expect(answer.body.dropFirst(twice.count).first == 0x80)
    }
  }

  @Test func `Pages of origins that are named may call, and no others`() async throws {
    try await withSite(settings: "cors: {origins: \"https://desk.example, https://other.example\"}") { site in
      let path = "/grpc.testing.TestService/EmptyCall"
      let asking = [
        "access-control-request-method: POST", "access-control-request-headers: content-type,authorization",
      ]
      let allowed = try await site.curl(path, ["origin: https://desk.example"] + asking, method: "OPTIONS")
      #expect(allowed.status == 204)
      #expect(allowed.headers["access-control-allow-origin"] == "https://desk.example")
      #expect(allowed.headers["access-control-allow-headers"] == "content-type,authorization")
      let refused = try await site.curl(path, ["origin: https://evil.example"] + asking, method: "OPTIONS")
      #expect(refused.status == 403 && refused.headers["access-control-allow-origin"] == nil)
      let called = try await site.connect("EmptyCall", "{}", ["origin: https://other.example"])
      #expect(called.headers["access-control-allow-origin"] == "https://other.example")
      #expect(called.text == "{}")
      #expect(try await site.connect("EmptyCall", "{}").headers["access-control-allow-origin"] == nil)
    }
  }
}

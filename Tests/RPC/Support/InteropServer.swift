import Foundation
import MainstayTesting
import Testing

/// `mainstay-interop server` as a process of its own.
struct InteropServer: Sendable {
  static let isBuilt = Program.exists("mainstay-interop")
  let program: Program.Running
  let port: Int

  /// Starts it and waits until it listens.
  init(certificate: String, key: String, options: [String] = []) async throws {
    let program = try Program.Running("mainstay-interop", ["server", "--cert", certificate, "--key", key] + options)
    var found: Int?
    _ = await eventually {
      let output = program.output
      if output.hasSuffix("\n") { found = output.split(separator: ":").last.flatMap { Int($0.dropLast()) } }
      return found != nil
    }
    if found == nil { program.signal(SIGKILL) }
    self.program = program
    port = try #require(found, "mainstay-interop does not say where it listens: \(program.output)")
  }

  /// With a certificate of this authority, for clients without one.
  init(_ authority: TestAuthority, options: [String] = []) async throws {
    let tls = try authority.issue("server", role: "service")
    try await self.init(
      certificate: tls.certificateChainPath ?? "", key: tls.privateKeyPath ?? "", options: options)
  }

  /// Runs this while it serves. Then it must end well when it is told to.
  func use(_ body: nonisolated(nonsending) (InteropServer) async throws -> Void) async throws {
    do { try await body(self) } catch {
      program.signal(SIGKILL)
      throw error
    }
    program.signal(SIGTERM)
    let result = try await program.result()
    #expect(result.code == 0, "\(result.errors)")
  }

  /// Bytes of memory that it has in use, and the most that it ever had (proc(5), status); nil if it has ended.
  var memory: (resident: Int, peak: Int)? {
    guard let status = try? String(contentsOfFile: "/proc/\(program.identifier)/status", encoding: .utf8) else {
      return nil
    }
    func kibibytes(_ name: String) -> Int? {
      let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
      return line.flatMap { $0.split(whereSeparator: \.isWhitespace).dropFirst().first }.flatMap { Int($0) }
    }
    guard let resident = kibibytes("VmRSS"), let peak = kibibytes("VmHWM") else { return nil }
    return (resident * 1_024, peak * 1_024)
  }
}

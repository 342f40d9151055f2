import Foundation
import Synchronization

/// Mainstay as `mainstay up` runs it, in a folder and on ports of its own.
public final class RunningSystem: Sendable {
  /// The state folder.
  public let home: TemporaryFolder
  /// Where each process listens, by its name.
  public let ports: [String: Int]

  /// What `mainstay up` starts.
  public static let processes = ["partner", "customer", "agent", "reporting", "gateway"]

  /// A system that is not up yet.
  public init() throws {
    home = try TemporaryFolder()
    ports = try Dictionary(uniqueKeysWithValues: Self.processes.map { ($0, try freePort()) })
  }

  /// Where the gateway listens.
  public var gatewayPort: Int { ports["gateway"] ?? 0 }
  /// Where the customer service listens.
  public var customerPort: Int { ports["customer"] ?? 0 }
  /// The options of `mainstay up` that name the ports.
  public var portOptions: [String] { ports.flatMap { ["--\($0.key)-port", "\($0.value)"] } }

  /// Starts everything and waits until it is healthy.
  public func up() async throws -> Program.Result { try await mainstay(["up"] + portOptions) }

  /// Stops everything.
  @discardableResult
  public func down() async throws -> Program.Result { try await mainstay(["down"]) }

  /// Runs the command line against this system.
  public func mainstay(_ arguments: [String], input: String? = nil) async throws -> Program.Result {
    try await Program.run("mainstay", arguments, environment: ["MAINSTAY_HOME": home.path], input: input)
  }

  /// The ends of all logs, for the report of a failure: the folder goes with the test.
  public func endOfLogs(lines: Int = 15) -> String {
    (Self.processes + ["supervisor"]).map { name in
      let text = (try? String(contentsOfFile: home.file("logs/\(name).log"), encoding: .utf8)) ?? "no log"
      let last = text.split(separator: "\n").suffix(lines).joined(separator: "\n")
      return "---- \(name), process \(processIdentifier(of: name).map(String.init) ?? "none")\n\(last)"
    }.joined(separator: "\n")
  }

  /// Process id of one of its processes; nil if it does not run.
  public func processIdentifier(of name: String) -> Int32? {
    let text = try? String(contentsOfFile: home.file("run/\(name).pid"), encoding: .utf8)
    return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }
}

/// A port of 127.0.0.1 on which nobody listens now, and that no other test of this process is given. It lies below those that
/// the system hands out to clients, so that no connection takes it before it is used.
public func freePort() throws -> Int {
  for _ in 0..<1_000 {
    let port = Int.random(in: 12_000..<32_000)
    let isNew = givenPorts.withLock { $0.insert(port).inserted }
    if isNew, canBind(port) { return port }
  }
  throw POSIXError(.EADDRNOTAVAIL)
}

private let givenPorts = Mutex<Set<Int>>([])

private func canBind(_ port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

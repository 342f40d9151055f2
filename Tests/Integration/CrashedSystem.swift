import Foundation
import MainstayTesting
import Testing

/// A system in which processes are killed.
extension RunningSystem {
  /// kill -9; false if it does not run.
  @discardableResult
  func kill(_ name: String) -> Bool {
    // A process file may be older than the process that has its id now.
    guard let process = processIdentifier(of: name),
      let words = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8), words.contains(home.path)
    else { return false }
    return Foundation.kill(process, SIGKILL) == 0
  }

  /// What a command prints once it goes well: a service that was killed needs a moment.
  func answer(_ arguments: [String]) async throws -> String {
    var last: Program.Result?
    let isGood = try await eventually(within: .seconds(90)) {
      let result = try await mainstay(arguments)
      last = result
      return result.code == 0
    }
    try #require(isGood, "\(arguments): \(last?.errors ?? "")")
    return last?.output ?? ""
  }

  /// As whoever runs the machine does when the supervisor is gone. One that was just killed may still count as running.
  func startAgain() async throws {
    let isUp = try await eventually(within: .seconds(90)) {
      guard try await up().code == 0 else { return false }
      return try await mainstay(["status"]).code == 0
    }
    try #require(isUp, "the system does not come up again")
  }
}

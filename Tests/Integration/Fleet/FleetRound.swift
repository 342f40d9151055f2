import Core
import Foundation
import MainstayTesting

/// A drawn time of writing, and what is killed within it.
struct FleetRound {
  private static let shortestMilliseconds = 500
  private static let longestMilliseconds = 1_300
  private static let mostKills = 3

  /// The database server with all its processes, and one of the processes that serve a client.
  static let server = "server"
  static let backend = "backend"

  let length: Int
  let kills: [(milliseconds: Int, victim: String)]
  private let number: Int

  init(_ number: Int, victims: [String], random: inout SeededGenerator) {
    self.number = number
    length = .random(in: Self.shortestMilliseconds..<Self.longestMilliseconds, using: &random)
    var kills: [(milliseconds: Int, victim: String)] = []
    for _ in 0..<Int.random(in: 1...Self.mostKills, using: &random) {
      let victim = victims.randomElement(using: &random) ?? victims[0]
      kills.append((.random(in: 0..<length, using: &random), victim))
    }
    self.kills = kills.sorted { $0.milliseconds < $1.milliseconds }
  }

  /// Writes and kills; returns when all writes are acknowledged, with what happened.
  func run(_ driver: WriteDriver, on fleet: Fleet) async throws -> String {
    let stop = Stop()
    async let writing: Void = driver.run("r\(number)", until: stop)
    let story: [String]
    do { story = try await kill(in: fleet) } catch {
      stop.raise()
      throw error
    }
    stop.raise()
    try await writing
    return story.joined(separator: ", ")
  }

  private func kill(in fleet: Fleet) async throws -> [String] {
    let begin = ContinuousClock.now
    var story: [String] = []
    for kill in kills {
      try await Task.sleep(until: begin + .milliseconds(kill.milliseconds))
      let hit = try await hit(kill.victim, kill.milliseconds, in: fleet)
      story.append("\(kill.victim) after \(kill.milliseconds) ms\(hit ? "" : " (was not running)")")
    }
    try await Task.sleep(until: begin + .milliseconds(length))
    return story
  }

  private func hit(_ victim: String, _ number: Int, in fleet: Fleet) async throws -> Bool {
    if case .postgresql(let server, _) = fleet.store {
      if victim == Self.backend { return try await server.killBackend(number) }
      if victim == Self.server {
        try await server.kill()
        try await server.start()
        return true
      }
    }
    guard let member = fleet.members.first(where: { $0.description == victim || $0.service == victim }) else {
      return false
    }
    return fleet.signal(SIGKILL, member)
  }
}

import RPCCore
import Storage

/// A copy of one service's facts, and how far it has come.
struct Generation: Sendable, Equatable {
  /// 1, 2, 3 … each rebuild has a new one.
  var number: Int64 = 0
  /// Whether a rebuild fills it, unseen by reports.
  var isBuilding = false
  /// Behind the last event that was applied.
  var token = ""
  /// Events that were applied.
  var applied: Int64 = 0
  /// When the last of them was recorded, in microseconds since 1970; 0 if none was.
  var lastRecorded: Int64 = 0
}

/// Knows which generation of each service's facts reports read, and which is being built.
struct ProgressRepository: Sendable {
  let database: any Database

  /// Both generations of a service; the first is made if there is none.
  func progress(of service: FollowedService) async throws -> (current: Generation, building: Generation?) {
    var generations = try await generations(of: service)
    if !generations.contains(where: { !$0.isBuilding }) {
      try await database.commit(
        Batch([
          Statement(
            """
            INSERT INTO progress (service, generation, is_building, token, applied, last_recorded)
            VALUES (?, 1, 0, '', 0, 0) ON CONFLICT DO NOTHING
            """, [.text(service.rawValue)])
        ]), lane: .interactive)
      generations = try await self.generations(of: service)
    }
    guard let current = generations.first(where: { !$0.isBuilding }) else {
      throw RPCError(.internal, "no generation of \(service.rawValue)")
    }
    return (current, generations.last { $0.isBuilding })
  }

  /// Makes an empty generation to be filled; one that was being filled is forgotten. Gives its number.
  func rebuild(of service: FollowedService) async throws -> (number: Int64, statements: [Statement]) {
    let progress = try await progress(of: service)
    let number = max(progress.current.number, progress.building?.number ?? 0) + 1
    return (
      number,
      [
        Statement("DELETE FROM progress WHERE service = ? AND is_building = 1", [.text(service.rawValue)]),
        Statement(
          """
          INSERT INTO progress (service, generation, is_building, token, applied, last_recorded)
          VALUES (?, ?, 1, '', 0, 0)
          """, [.text(service.rawValue), .integer(number)],
          expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "rebuild of \(service.rawValue)"))),
      ]
    )
  }

  /// Forgets a generation that is being filled: its follower goes on where reports read.
  func abandonment(of service: FollowedService, generation: Int64) -> Statement {
    Statement(
      "DELETE FROM progress WHERE service = ? AND generation = ? AND is_building = 1",
      [.text(service.rawValue), .integer(generation)])
  }

  /// Kept events of kinds that are not known.
  func unknownEvents(of service: FollowedService) async throws -> Int64 {
    try await database.row(
      Statement("SELECT count(*) FROM unknown_event WHERE service = ?", [.text(service.rawValue)]), access: .scan
    )?.integer(0) ?? 0
  }

  private func generations(of service: FollowedService) async throws -> [Generation] {
    try await database.query(
      Statement(
        """
        SELECT generation, is_building, token, applied, last_recorded FROM progress WHERE service = ?
        ORDER BY generation
        """, [.text(service.rawValue)]), access: .point
    ).map {
      Generation(
        number: try $0.integer(0), isBuilding: try $0.integer(1) == 1, token: try $0.text(2),
        applied: try $0.integer(3), lastRecorded: try $0.integer(4))
    }
  }
}

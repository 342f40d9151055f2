import Core
import RPCCore
import Storage
import UseCases

/// A checkpoint of another log that came here.
public struct SeenCheckpoint: Sendable {
  /// The note.
  public let note: String
  /// When it came.
  public let receivedTime: Timestamp
  /// Why it was refused; empty if it was not.
  public let refusal: String
  let place: WitnessPlace
}

/// Where a list of witnessed checkpoints goes on: behind an origin and a number, in the kept ones or, after those, the refused ones.
struct WitnessPlace: Sendable {
  let isRefused: Bool
  let origin: String
  /// Lists go down in it: the hour, or the time of receipt.
  let number: Int64

  init(isRefused: Bool, origin: String, number: Int64) {
    (self.isRefused, self.origin, self.number) = (isRefused, origin, number)
  }

  init(_ page: PageRequest) throws {
    guard let place = page.place else {
      self.init(isRefused: false, origin: "", number: .max)
      return
    }
    guard place.count == 3, case .integer(let refused) = place[0], case .text(let origin) = place[1],
      case .integer(let number) = place[2]
    else { throw page.malformed }
    self.init(isRefused: refused == 1, origin: origin, number: number)
  }

  var fields: [OpaqueToken.Field] { [.integer(isRefused ? 1 : 0), .text(origin), .integer(number)] }
}

extension Witness {
  /// What came of the logs of this name in all their epochs, newest first within each; an empty name means all logs. The refused ones
  /// stand behind the others.
  func list(logName: String, after place: WitnessPlace, limit: Int) async throws -> [SeenCheckpoint] {
    var seen: [SeenCheckpoint] = []
    if !place.isRefused {
      seen = try await list(
        "audit_witnessed", columns: "origin, hour, note, received_time, ''", key: "hour", logName, place, limit)
    }
    if seen.count < limit {
      let rest = place.isRefused ? place : WitnessPlace(isRefused: true, origin: "", number: .max)
      seen += try await list(
        "audit_refused", columns: "origin, received_time, note, received_time, reason", key: "received_time", logName,
        rest,
        limit - seen.count)
    }
    return seen
  }

  private func list(
    _ table: String, columns: String, key: String, _ logName: String, _ place: WitnessPlace, _ limit: Int
  ) async throws -> [SeenCheckpoint] {
    // "0" is the character behind "/": all origins that begin with the name and a slash.
    let names: (from: String, to: String) = logName.isEmpty ? ("", "\u{10FFFF}") : (logName + "/", logName + "0")
    let rows = try await query(
      Statement(
        """
        SELECT \(columns) FROM \(table)
        WHERE origin >= ? AND origin < ? AND (origin > ? OR (origin = ? AND \(key) < ?))
        ORDER BY origin, \(key) DESC LIMIT ?
        """,
        [
          .text(names.from), .text(names.to), .text(place.origin), .text(place.origin), .integer(place.number),
          .integer(Int64(limit)),
        ]))
    return try rows.map { row in
      SeenCheckpoint(
        note: try row.text(2), receivedTime: try row.time(3), refusal: try row.text(4),
        place: WitnessPlace(
          isRefused: place.isRefused || table == "audit_refused", origin: try row.text(0), number: try row.integer(1)))
    }
  }
}

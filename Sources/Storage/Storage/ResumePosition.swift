import Core

/// A place in a service's events: behind the event with this position, in each partition.
public struct ResumePosition: Hashable, Sendable {
  /// Why a resume token is refused.
  public enum Refused: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not a resume token, or damaged.
    case malformed
    /// A token of another life of the database: it was restored since. What the consumer has built from events may
    /// hold some that are no longer true, so it must begin anew.
    case otherEpoch

    /// One line for the consumer.
    public var description: String {
      switch self {
      case .malformed: "resume_token is not one that this service gave out"
      case .otherEpoch: "resume_token is from before the database was restored; rebuild from the beginning"
      }
    }
  }

  /// Which life of the database: random, changed by a restore.
  public let epoch: String
  /// The last position that was seen, by partition; 0, or no entry, is the beginning.
  public private(set) var positions: [Int64: Int64]

  /// A place.
  public init(epoch: String, positions: [Int64: Int64] = [:]) {
    self.epoch = epoch
    self.positions = positions
  }

  /// The last position that was seen in a partition.
  public func position(in partition: Int64) -> Int64 { positions[partition] ?? 0 }

  /// The same place, further on in one partition.
  public func moved(to position: Int64, in partition: Int64) -> ResumePosition {
    var moved = self
    moved.positions[partition] = position
    return moved
  }

  /// The text that a consumer keeps: the format's version, the epoch, then partition and position in turns.
  public var token: String {
    let places = positions.sorted { $0.key < $1.key }.flatMap {
      [OpaqueToken.Field.integer($0.key), .integer($0.value)]
    }
    return OpaqueToken.encode(.resume, [.integer(ResumePosition.version), .text(epoch)] + places)
  }

  /// Reads a token; whether its epoch is the database's is for `EventLog` to say.
  public init(token: String) throws(Refused) {
    let fields: [OpaqueToken.Field]
    do { fields = try OpaqueToken.decode(.resume, token) } catch { throw .malformed }
    guard fields.count >= 2, fields.count % 2 == 0, fields[0] == .integer(ResumePosition.version),
      case .text(let epoch) = fields[1]
    else { throw .malformed }
    self.init(epoch: epoch)
    for index in stride(from: 2, to: fields.count, by: 2) {
      guard case .integer(let partition) = fields[index], case .integer(let position) = fields[index + 1],
        position >= 0, positions.updateValue(position, forKey: partition) == nil
      else { throw .malformed }
    }
  }

  private static let version: Int64 = 1
}

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
    /// Events behind the place were removed since: who goes on there would miss some.
    case removed

    /// One line for the consumer.
    public var description: String {
      switch self {
      case .malformed: "resume_token is not one that this service gave out"
      case .otherEpoch: "resume_token is from before the database was restored; rebuild from the beginning"
      case .removed:
        "events behind resume_token have been removed since; rebuild from the beginning, which starts with the snapshot"
      }
    }
  }

  /// Which life of the database: random, changed by a restore.
  public let epoch: String
  /// The last position that was seen, by partition; 0, or no entry, is the beginning.
  public private(set) var positions: [Int64: Int64]
  /// For who reads the snapshot, by partition: up to where events had been removed as it began. It has missed nothing as long as
  /// that stays so.
  private var bases: [Int64: Int64] = [:]

  /// A place.
  public init(epoch: String, positions: [Int64: Int64] = [:]) {
    self.epoch = epoch
    self.positions = positions
  }

  /// The last position that was seen in a partition.
  public func position(in partition: Int64) -> Int64 { positions[partition] ?? 0 }

  /// Up to where events had been removed as the reading of a partition began at its snapshot; 0 for who reads behind that.
  public func base(in partition: Int64) -> Int64 { bases[partition] ?? 0 }

  /// The same place, of one who reads the snapshot of a partition from which events were removed up to this position.
  public func reading(snapshotUpTo base: Int64, in partition: Int64) -> ResumePosition {
    var reading = self
    reading.bases[partition] = base > 0 ? base : nil
    return reading
  }

  /// The same place, further on in one partition.
  public func moved(to position: Int64, in partition: Int64) -> ResumePosition {
    var moved = self
    moved.positions[partition] = position
    // The snapshot is behind it.
    if position >= moved.base(in: partition) { moved.bases[partition] = nil }
    return moved
  }

  /// The text that a consumer keeps: the format's version, the epoch, then partition and position in turns; within a snapshot
  /// partition, position and base.
  public var token: String {
    guard bases.isEmpty else {
      let places = positions.sorted { $0.key < $1.key }.flatMap {
        [OpaqueToken.Field.integer($0.key), .integer($0.value), .integer(base(in: $0.key))]
      }
      return OpaqueToken.encode(.resume, [.integer(ResumePosition.versionWithBases), .text(epoch)] + places)
    }
    let places = positions.sorted { $0.key < $1.key }.flatMap {
      [OpaqueToken.Field.integer($0.key), .integer($0.value)]
    }
    return OpaqueToken.encode(.resume, [.integer(ResumePosition.version), .text(epoch)] + places)
  }

  /// Reads a token; whether its epoch is the database's is for `EventLog` to say.
  public init(token: String) throws(Refused) {
    let fields: [OpaqueToken.Field]
    do { fields = try OpaqueToken.decode(.resume, token) } catch { throw .malformed }
    guard fields.count >= 2, case .integer(let version) = fields[0], case .text(let epoch) = fields[1],
      version == Self.version || version == Self.versionWithBases
    else { throw .malformed }
    let width = version == Self.version ? 2 : 3
    guard (fields.count - 2) % width == 0 else { throw .malformed }
    self.init(epoch: epoch)
    for index in stride(from: 2, to: fields.count, by: width) {
      guard case .integer(let partition) = fields[index], case .integer(let position) = fields[index + 1],
        position >= 0, positions.updateValue(position, forKey: partition) == nil
      else { throw .malformed }
      guard width == 3 else { continue }
      guard case .integer(let base) = fields[index + 2], base >= 0 else { throw .malformed }
      bases[partition] = base > position ? base : nil
    }
  }

  private static let version: Int64 = 1
  private static let versionWithBases: Int64 = 2
}

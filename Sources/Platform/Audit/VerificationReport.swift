import AuditProof
import Core

/// What the verification of a whole log has found.
public struct VerificationReport: Sendable {
  /// Most faults that are told; beyond, only their number is counted.
  public static let maximumFaults = 100

  /// Something that is not as it was logged.
  public struct Fault: Hashable, Sendable, CustomStringConvertible {
    /// The positions that may be concerned: one, where that is known.
    public let positions: Range<Int64>?
    /// Whether what is stored tells the leaf, or the sixteen that it is one of; checkpoints only tell between which of them it lies.
    let isSharp: Bool
    /// One line.
    public let text: String

    /// The first of the positions.
    public var position: Int64? { positions?.lowerBound }

    /// "position 17: …", or "positions 16 to 31: …".
    public var description: String {
      guard let positions else { return text }
      let isOne = positions.count == 1
      return
        (isOne
        ? "position \(positions.lowerBound): " : "positions \(positions.lowerBound) to \(positions.upperBound - 1): ")
        + text
    }
  }

  /// Leaves that were read.
  public internal(set) var size: Int64 = 0
  /// Root over them.
  public internal(set) var root: MerkleHash?
  /// Those that tell of an event whose row was compared.
  public internal(set) var events: Int64 = 0
  /// Those that tell of an event that is gone because a later one has overtaken it.
  public internal(set) var overtaken: Int64 = 0
  /// Those whose bytes were dropped.
  public internal(set) var dropped: Int64 = 0
  /// Leaves that are committed and have no place yet: in no checkpoint.
  public internal(set) var waiting: Int64 = 0
  /// Checkpoints that the tree was compared with.
  public internal(set) var checkpoints = 0
  /// Size of the largest checkpoint that the tree agrees with: what no one can have changed who could not change that checkpoint.
  public internal(set) var provenSize: Int64 = 0
  /// The faults, at most `maximumFaults`.
  public private(set) var faults: [Fault] = []
  /// How many there were.
  public private(set) var faultCount = 0
  /// The leaves that are known to be bad, at most `maximumFaults`.
  private var badPositions: Set<Int64> = []
  /// What is to be known and is no fault.
  public internal(set) var notices: [String] = []

  /// Whether nothing was found wrong.
  public var isSound: Bool { faultCount == 0 }
  /// The first position that is not as it was logged; of a leaf that was changed so that only the tree shows it, the first that it
  /// can be.
  public var firstBadPosition: Int64? {
    faults.filter(\.isSharp).compactMap(\.position).min() ?? faults.compactMap(\.position).min()
  }

  /// A fault of the leaf at a position.
  mutating func add(_ text: String, at position: Int64) {
    if badPositions.count < VerificationReport.maximumFaults { badPositions.insert(position) }
    add(Fault(positions: position..<position + 1, isSharp: true, text: text))
  }

  /// A fault somewhere in these positions. Nothing new if one of them is known to be bad.
  mutating func add(_ text: String, within range: Range<Int64>, isSharp: Bool = false) {
    if knows(range) { return }
    add(Fault(positions: range, isSharp: isSharp, text: text))
  }

  /// Whether one of these positions is known to be bad.
  func knows(_ range: Range<Int64>) -> Bool { badPositions.contains { range.contains($0) } }

  /// Says more of what is told of exactly these positions.
  mutating func replace(_ range: Range<Int64>, _ text: String) {
    guard let index = faults.firstIndex(where: { $0.positions == range }) else { return }
    faults[index] = Fault(positions: range, isSharp: true, text: text)
  }

  /// Takes back what is told of several positions together, this one among them, since more is known now.
  mutating func withdraw(groupOf position: Int64) {
    let found = faults.firstIndex {
      $0.isSharp && $0.positions?.count ?? 0 > 1 && $0.positions?.contains(position) == true
    }
    guard let found else { return }
    faults.remove(at: found)
    faultCount -= 1
  }

  /// A fault of no position.
  mutating func add(_ text: String) { add(Fault(positions: nil, isSharp: false, text: text)) }

  private mutating func add(_ fault: Fault) {
    faultCount += 1
    if faults.count < VerificationReport.maximumFaults { faults.append(fault) }
  }
}

import AuditProof
import Storage

/// Makes proofs from what is stored, by the recursive definitions of RFC 6962 (2.1.1, 2.1.2). A proof over n leaves reads in the
/// order of log n subtrees, each of at most eight hashes in one range.
public struct ProofSource: Sendable {
  private let database: any Database

  /// Proofs of the log in a database.
  public init(database: any Database) { self.database = database }

  /// The root of the tree of the first `size` leaves, which must have their places.
  public func root(size: Int64) async throws -> MerkleHash {
    size == 0 ? MerkleHasher().emptyRoot() : try await root(of: 0..<size)
  }

  /// The path from the leaf at a position below `size` to the root of the tree of that size.
  public func inclusion(position: Int64, size: Int64) async throws -> [MerkleHash] {
    var (range, siblings) = (Int64(0)..<size, [Range<Int64>]())
    while range.count > 1 {
      let split = range.lowerBound + ProofSource.largestPower(below: range.upperBound - range.lowerBound)
      if position < split {
        siblings.append(split..<range.upperBound)
        range = range.lowerBound..<split
      } else {
        siblings.append(range.lowerBound..<split)
        range = split..<range.upperBound
      }
    }
    return try await roots(of: siblings.reversed())
  }

  /// What shows that the tree of `second` leaves begins with that of `first`, at most as many.
  public func consistency(first: Int64, second: Int64) async throws -> [MerkleHash] {
    if first == 0 || first == second { return [] }
    var (range, rest, siblings, isWhole) = (Int64(0)..<second, first, [Range<Int64>](), true)
    while rest < range.upperBound - range.lowerBound {
      let power = ProofSource.largestPower(below: range.upperBound - range.lowerBound)
      let split = range.lowerBound + power
      if rest <= power {
        siblings.append(split..<range.upperBound)
        range = range.lowerBound..<split
      } else {
        siblings.append(range.lowerBound..<split)
        (range, rest, isWhole) = (split..<range.upperBound, rest - power, false)
      }
    }
    return try await roots(of: (isWhole ? [] : [range]) + siblings.reversed())
  }

  private func roots(of ranges: [Range<Int64>]) async throws -> [MerkleHash] {
    var roots: [MerkleHash] = []
    for range in ranges { roots.append(try await root(of: range)) }
    return roots
  }

  /// The root over some leaves that begin where a subtree of their size could: of complete subtrees, largest first.
  private func root(of range: Range<Int64>) async throws -> MerkleHash {
    var (start, subtrees) = (range.lowerBound, [MerkleHash]())
    while start < range.upperBound {
      let rest = range.upperBound - start
      let level = Int64.bitWidth - 1 - rest.leadingZeroBitCount
      subtrees.append(try await subtree(level: level, number: start >> Int64(level)))
      start += 1 << Int64(level)
    }
    let hasher = MerkleHasher()
    guard var root = subtrees.popLast() else { return hasher.emptyRoot() }
    while let left = subtrees.popLast() { root = hasher.node(left, root) }
    return root
  }

  /// The root of a complete subtree, from the nearest level below that is stored.
  private func subtree(level: Int, number: Int64) async throws -> MerkleHash {
    let stored = level - level % TreeGrowth.storedLevels
    let count = Int64(1) << Int64(level - stored)
    let bounds: [SQLValue] = [.integer(number * count), .integer((number + 1) * count)]
    let statement =
      stored == 0
      ? Statement("SELECT hash FROM audit_leaf WHERE position >= ? AND position < ? ORDER BY position", bounds)
      : Statement(
        "SELECT hash FROM audit_node WHERE level = ? AND number >= ? AND number < ? ORDER BY number",
        [.integer(Int64(stored))] + bounds)
    var hashes = try await database.query(statement, access: .point).compactMap { MerkleHash(try $0.blob(0)) }
    guard hashes.count == count else {
      throw AuditFailure("the audit log is damaged at level \(stored) from \(number * count) on; run \"audit verify\"")
    }
    let hasher = MerkleHasher()
    while hashes.count > 1 {
      hashes = stride(from: 0, to: hashes.count, by: 2).map { hasher.node(hashes[$0], hashes[$0 + 1]) }
    }
    return hashes[0]
  }

  private static func largestPower(below count: Int64) -> Int64 {
    Int64(1) << Int64(Int64.bitWidth - 1 - (count - 1).leadingZeroBitCount)
  }
}

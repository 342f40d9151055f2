import Core

/// A branch of the insurer (分公司), without what the service adds.
public struct BranchFacts: Hashable, Sendable {
  /// Short code, unique: upper-case letters, digits and "-"; 1 to 16. Never changes.
  public let code: String
  /// 1 to 128 characters.
  public let name: String
  /// 省级行政区 where it works; 1 to 64 characters.
  public let region: String

  /// A branch as it came from outside; `validate` says whether it may be kept.
  public init(code: String, name: String, region: String) {
    self.code = code
    self.name = name
    self.region = region
  }

  /// Notes every limit that the branch breaks.
  public func validate(into faults: inout ViolationList) {
    let isRight = code.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
    if !isRight || !(1...16).contains(code.utf8.count) {
      faults.add("code", "must be 1 to 16 upper-case letters, digits or \"-\"")
    }
    faults.check(name, length: 1...128, "name")
    faults.check(region, length: 1...64, "region")
  }
}

/// A team within a branch (团队), without what the service adds.
public struct TeamFacts: Hashable, Sendable {
  /// Its branch; never changes.
  public let branchID: BranchID
  /// Unique within the branch; 1 to 128 characters.
  public let name: String

  /// A team as it came from outside; `validate` says whether it may be kept.
  public init(branchID: BranchID, name: String) {
    self.branchID = branchID
    self.name = name
  }

  /// Notes every limit that the team breaks.
  public func validate(into faults: inout ViolationList) {
    faults.check(name, length: 1...128, "name")
  }
}

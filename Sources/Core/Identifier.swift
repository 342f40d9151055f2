/// What an id names. The prefix keeps an id of one kind from being taken for another, in code and in logs.
public protocol IdentifierKind: Sendable {
  /// Three lower-case letters.
  static var prefix: String { get }
}

/// An id that never changes: a type prefix and a 128-bit value that sorts by time, in Crockford base32, for example
/// "cus_01J9ZQ3M5V8XK2T4R6W7Y0ABCD". 48 bits are milliseconds since the epoch, 80 bits are random.
public struct Identifier<Kind: IdentifierKind>: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The id as it is written and stored: prefix, underscore, 26 characters.
  public let description: String

  /// A fresh id.
  public init(clock: some Clock, random: some RandomSource) {
    let milliseconds = UInt64(max(0, clock.now().microsecondsSinceEpoch / 1_000)) & 0xFFFF_FFFF_FFFF
    self.init(high: milliseconds << 16 | random.next() & 0xFFFF, low: random.next())
  }

  /// So many fresh ids in ascending order, for records that are created together: one is drawn, the others count on from it.
  public static func ascending(_ count: Int, clock: some Clock, random: some RandomSource) -> [Self] {
    let milliseconds = UInt64(max(0, clock.now().microsecondsSinceEpoch / 1_000)) & 0xFFFF_FFFF_FFFF
    let high = milliseconds << 16 | random.next() & 0xFFFF
    // The first bit is left free to count into.
    let low = random.next() >> 1
    return (0..<count).map { Self(high: high, low: low + UInt64($0)) }
  }

  /// The id of nothing: stands in a record whose own could not be read, which is then refused. No record has it.
  public static var placeholder: Self { Self(high: 0, low: 0) }

  private init(high: UInt64, low: UInt64) {
    description = Kind.prefix + "_" + crockford(high: high, low: low)
  }

  /// An id as it came from outside; nil if it has another prefix, length or alphabet. Lower case is folded.
  public init?(_ text: String) {
    var text = text
    var isUpper = true
    let isRight = text.withUTF8 { bytes -> Bool in
      let prefix = Kind.prefix.utf8
      guard bytes.count == prefix.count + 27, bytes.starts(with: prefix), bytes[prefix.count] == UInt8(ascii: "_")
      else {
        return false
      }
      for byte in bytes[(prefix.count + 1)...] {
        let value = crockfordValues[Int(byte)]
        if value == notCrockford { return false }
        if byte >= 97 { isUpper = false }
      }
      // 26 digits hold 130 bits: the first may only be 0 to 7.
      return (48...55).contains(bytes[prefix.count + 1])
    }
    guard isRight else { return nil }
    description = isUpper ? text : Kind.prefix + "_" + text.dropFirst(Kind.prefix.count + 1).uppercased()
  }

  /// Order of creation, to the millisecond.
  public static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}

private let crockfordAlphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
private let notCrockford: UInt8 = 0xFF
/// The value of each byte as a digit, in either case.
private let crockfordValues = (0...255).map { byte -> UInt8 in
  let upper = (97...122).contains(byte) ? byte - 32 : byte
  return crockfordAlphabet.firstIndex(of: UInt8(upper)).map { UInt8($0) } ?? notCrockford
}

/// 128 bits as 26 digits of five bits, most significant first.
private func crockford(high: UInt64, low: UInt64) -> String {
  String(unsafeUninitializedCapacity: 26) { digits in
    for position in 0..<26 {
      let shift = (25 - position) * 5
      let value: UInt64
      if shift >= 64 {
        value = high >> UInt64(shift - 64)
      } else if shift > 59 {
        value = low >> UInt64(shift) | high << UInt64(64 - shift)
      } else {
        value = low >> UInt64(shift)
      }
      digits[position] = crockfordAlphabet[Int(value & 31)]
    }
    return 26
  }
}

/// A party: one person or company as one source knows it.
public enum PartyKind: IdentifierKind {
  /// "par"
  public static var prefix: String { "par" }
}
/// A customer: a group of parties.
public enum CustomerKind: IdentifierKind {
  /// "cus"
  public static var prefix: String { "cus" }
}
/// A policy.
public enum PolicyKind: IdentifierKind {
  /// "pol"
  public static var prefix: String { "pol" }
}
/// A branch of the insurer.
public enum BranchKind: IdentifierKind {
  /// "brn"
  public static var prefix: String { "brn" }
}
/// A team within a branch.
public enum TeamKind: IdentifierKind {
  /// "tem"
  public static var prefix: String { "tem" }
}
/// An agent.
public enum AgentKind: IdentifierKind {
  /// "agt"
  public static var prefix: String { "agt" }
}
/// An activity of an agent.
public enum AgentActivityKind: IdentifierKind {
  /// "act"
  public static var prefix: String { "act" }
}
/// An event.
public enum EventKind: IdentifierKind {
  /// "evt"
  public static var prefix: String { "evt" }
}

/// An entry of an audit log that no event tells of.
public enum AuditEntryKind: IdentifierKind {
  /// "aud"
  public static var prefix: String { "aud" }
}

/// A partner.
public enum PartnerIDKind: IdentifierKind {
  /// "prt"
  public static var prefix: String { "prt" }
}
/// A product.
public enum ProductIDKind: IdentifierKind {
  /// "prd"
  public static var prefix: String { "prd" }
}

/// Id of a partner, prt_….
public typealias PartnerID = Identifier<PartnerIDKind>
/// Id of a product, prd_….
public typealias ProductID = Identifier<ProductIDKind>
/// Id of a party, par_….
public typealias PartyID = Identifier<PartyKind>
/// Id of a customer, cus_….
public typealias CustomerID = Identifier<CustomerKind>
/// Id of a policy, pol_….
public typealias PolicyID = Identifier<PolicyKind>
/// Id of a branch, brn_….
public typealias BranchID = Identifier<BranchKind>
/// Id of a team, tem_….
public typealias TeamID = Identifier<TeamKind>
/// Id of an agent, agt_….
public typealias AgentID = Identifier<AgentKind>
/// Id of an activity, act_….
public typealias ActivityID = Identifier<AgentActivityKind>
/// Id of an event, evt_….
public typealias EventID = Identifier<EventKind>

/// Id of an entry of an audit log, aud_….
public typealias AuditEntryID = Identifier<AuditEntryKind>

import Core
import Foundation

/// The invented business of one source, as CSV files, and what every figure must be: counted here from the rows alone, in whole
/// months, without a line of the product.
struct CrashBook {
  enum Outcome: String {
    case inForce = "in-force"
    case surrender, death, lapse, cancelled
  }

  struct Instalment {
    /// Years after issue.
    let year: Int
    let due: Int
    /// Nil if it was never paid.
    let received: Int?
    /// Months after the due day; 3 is after the grace of 60 days.
    let monthsLate: Int
    let isLoan: Bool
    /// What counts: money of the customer that came within grace.
    var counted: Int { isLoan || monthsLate > 0 ? 0 : min(received ?? 0, due) }
  }

  struct Policy {
    var holder: Int
    let channel: String
    /// Code of the partner; nil for none.
    let partner: String?
    let year: Int
    let month: Int
    let day: Int
    /// Whole months and some days that it stood, or was seen to stand. The days never reach the end of a month.
    let months: Int
    let days: Int
    let outcome: Outcome
    let premium: Int?
    let isSingle: Bool
    var instalments: [Instalment] = []

    var hasEnded: Bool { outcome != .inForce }

    /// A day so many months after issue.
    func date(_ months: Int, days: Int = 0) -> String {
      let count = year * 12 + month - 1 + months
      return String(format: "%04d-%02d-%02d", count / 12, count % 12 + 1, day + days)
    }
  }

  static let channels = ["BANCASSURANCE", "GROUP", "INDIVIDUAL_AGENT", "ONLINE"]
  /// Between the end of month m and the end of its grace lies a month in which days would decide; no policy ends there.
  private static let undecided: Set = [14, 26]

  let source: String
  let partners: [String]
  let holders: Int
  let policies: [Policy]

  /// So many policies, the same for the same generator.
  init(source: String, partners: [String], policies count: Int, random: inout SeededGenerator) {
    self.source = source
    self.partners = partners
    let holders = max(1, count * 2 / 3)
    self.holders = holders
    policies = (0..<count).map { _ in Self.policy(holders: holders, partners: partners, random: &random) }
  }

  /// The business of all sources together.
  init(all books: [CrashBook]) {
    source = ""
    partners = books.flatMap { $0.partners }
    holders = books.reduce(0) { $0 + $1.holders }
    var policies: [Policy] = []
    var before = 0
    for book in books {
      policies += book.policies.map { policy in
        var policy = policy
        policy.holder += before
        return policy
      }
      before += book.holders
    }
    self.policies = policies
  }

  private static func policy(holders: Int, partners: [String], random: inout SeededGenerator) -> Policy {
    var months = Int.random(in: 0...40, using: &random)
    if undecided.contains(months) { months += 1 }
    let day = Int.random(in: 1...28, using: &random)
    let outcomes: [Outcome] = [.inForce, .inForce, .inForce, .inForce, .surrender, .surrender, .death, .lapse]
    var policy = Policy(
      holder: Int.random(in: 0..<holders, using: &random), channel: channels.randomElement(using: &random) ?? "ONLINE",
      partner: random.oneIn(4) ? nil : partners.randomElement(using: &random),
      year: Int.random(in: 2018...2021, using: &random), month: Int.random(in: 1...12, using: &random), day: day,
      months: months, days: Int.random(in: 0...(28 - day), using: &random),
      outcome: random.oneIn(30) ? .cancelled : outcomes.randomElement(using: &random) ?? .inForce,
      premium: random.oneIn(20) ? nil : Int.random(in: 10_000...5_000_000, using: &random), isSingle: random.oneIn(6))
    let due = policy.premium ?? 100_000
    for year in 0...(policy.isSingle ? 0 : months / 12) where !random.oneIn(25) || year == 0 {
      let isPaid = year == 0 || !random.oneIn(8)
      policy.instalments.append(
        Instalment(
          year: year, due: due, received: isPaid ? (random.oneIn(10) ? due / 2 : due) : nil,
          monthsLate: isPaid && random.oneIn(9) ? 3 : 0, isLoan: isPaid && random.oneIn(9)))
    }
    return policy
  }

  /// Instalments of all policies.
  var premiums: Int { policies.reduce(0) { $0 + $1.instalments.count } }
  /// Every third holder gets another name in the end.
  private static let changedHolders = 3
  /// Events that the customer service must tell of: one for each row, and one for each that changes.
  var events: Int { holders + policies.count + premiums + (holders + Self.changedHolders - 1) / Self.changedHolders }

  // MARK: - Files

  static let customerMapping = """
    kind: person
    key: id
    columns: {family: person.family_name, given: person.given_name, born: person.birth_date}
    """
  static let policyMapping = """
    kind: policy
    key: no
    columns:
      holder: policyholder_source_key
      channel: channel
      partner: partner_id
      state: state
      cause: end_cause
      issued: issue_date
      ended: end_date
      seen: observed_until_date
      premium: {field: annual_premium, currency: CNY, decimals: 0}
      frequency: premium_frequency
    constants: {product_code: LIFE}
    """
  static let premiumMapping = """
    kind: premium
    key: no
    columns:
      due_on: due_date
      due: {field: due, currency: CNY, decimals: 0}
      paid_on: received_date
      paid: {field: received, currency: CNY, decimals: 0}
      method: method
    """

  var customerFile: String {
    "id,family,given,born\n" + (0..<holders).map { "h\($0),Li,Ming\($0),1980-01-02\n" }.joined()
  }

  /// The customers again, some of them with another name.
  var changedFile: String {
    "id,family,given,born\n"
      + (0..<holders).map { "h\($0),Li,\($0 % Self.changedHolders == 0 ? "Hong" : "Ming")\($0),1980-01-02\n" }.joined()
  }

  var policyFile: String {
    let lines = policies.enumerated().map { number, policy in
      let (state, cause) =
        switch policy.outcome {
        case .inForce: ("IN_FORCE", "")
        case .surrender: ("SURRENDERED", "SURRENDER")
        case .death: ("TERMINATED", "DEATH")
        case .lapse: ("TERMINATED", "LAPSE")
        case .cancelled: ("CANCELLED", "")
        }
      let last = policy.date(policy.months, days: policy.days)
      let days = policy.hasEnded ? "\(last)," : ",\(last)"
      return "p\(number),h\(policy.holder),\(policy.channel),\(policy.partner ?? ""),\(state),\(cause),"
        + "\(policy.date(0)),\(days),\(policy.premium.map { "\($0)" } ?? ""),\(policy.isSingle ? "SINGLE" : "ANNUAL")\n"
    }
    return "no,holder,channel,partner,state,cause,issued,ended,seen,premium,frequency\n" + lines.joined()
  }

  var premiumFile: String {
    let lines = policies.enumerated().flatMap { number, policy in
      policy.instalments.map { instalment in
        let due = instalment.year * 12
        let paid = instalment.received.map {
          "\(policy.date(due + instalment.monthsLate)),\($0),\(instalment.isLoan ? "AUTOMATIC_LOAN" : "CASH")"
        }
        return "p\(number),\(policy.date(due)),\(instalment.due),\(paid ?? ",,")\n"
      }
    }
    return "no,due_on,due,paid_on,paid,method\n" + lines.joined()
  }
}

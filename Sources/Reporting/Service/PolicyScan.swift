import API
import Core
import ReportingDomain
import RPCCore
import Storage

/// A policy of a report, with the value that it has in the report's dimension.
struct ScannedPolicy: Sendable {
  let fact: PolicyFact
  let group: String
  /// Empty unless the report asks for them.
  var premiums: [PremiumFact] = []
}

/// Reads the policies of a report page by page, so that a large report holds up neither the database nor the event loop.
struct PolicyScan: Sendable {
  /// Policies that are read at once.
  static let pagePolicies: Int64 = 2_000
  /// Policies whose instalments are read at once.
  static let pagePoliciesWithPremiums: Int64 = 400
  /// Instalments that are read at once.
  static let pagePremiums: Int64 = 20_000

  let database: any Database
  let parameters: ReportParameters
  /// Of the customer service's facts.
  let generation: Int64
  /// Of the facts of the service that `DimensionText.lookup` names; 0 without one.
  let lookupGeneration: Int64
  let withPremiums: Bool

  /// Hands over each policy that was issued by the report's day and not withdrawn in the hesitation period, as it stood then, in
  /// order of ids.
  func run(_ take: (ScannedPolicy) -> Void) async throws {
    let size = withPremiums ? Self.pagePoliciesWithPremiums : Self.pagePolicies
    var last = ""
    while true {
      let rows = try await database.query(statement(after: last, limit: size), access: .scan)
      guard let end = try rows.last?.text(0) else { return }
      let premiums = withPremiums ? try await self.premiums(of: rows.map { try $0.text(0) }) : [:]
      for row in rows {
        guard var policy = try scanned(row) else { continue }
        policy.premiums = premiums[policy.fact.policyID] ?? []
        take(policy)
      }
      guard rows.count == Int(size) else { return }
      last = end
    }
  }

  private func statement(after last: String, limit: Int64) -> Statement {
    let lookup = DimensionText.lookup(self.parameters.dimension)
    var parameters = [SQLValue](
      repeating: .integer(lookupGeneration), count: lookup == nil ? 0 : DimensionText.lookupParameters)
    parameters.append(.integer(generation))
    if !self.parameters.source.isEmpty { parameters.append(.text(self.parameters.source)) }
    let issued = self.parameters.issued
    parameters += [
      .text(last), .integer(Int64(issued.lowerBound.daysSinceEpoch)), .integer(Int64(issued.upperBound.daysSinceEpoch)),
      .integer(limit),
    ]
    return Statement(
      """
      SELECT p.policy_id, m.customer_id, p.state, p.end_cause, p.issue_date, p.end_date, p.observed_until,
        p.micromonths, p.premium, p.currency, p.frequency, p.channel, p.product_code, p.partner_id, p.branch_id,
        p.agent_id, \(lookup?.sql ?? "NULL")
      FROM policy p LEFT JOIN party m ON m.generation = p.generation AND m.party_id = p.party_id
      WHERE p.generation = ?\(self.parameters.source.isEmpty ? "" : " AND p.source = ?") AND p.policy_id > ?
        AND p.issue_date BETWEEN ? AND ?
      ORDER BY p.policy_id LIMIT ?
      """, parameters)
  }

  /// Nil for one that was not issued by the report's day, or was withdrawn in the hesitation period.
  private func scanned(_ row: Row) throws -> ScannedPolicy? {
    let state = PolicyState(rawValue: Int32(truncatingIfNeeded: try row.integer(2)))
    guard state != .proposed, state != .cancelled else { return nil }
    func day(_ column: Int) throws -> CivilDate? {
      try row.optionalInteger(column).map { CivilDate(daysSinceEpoch: Int($0)) }
    }
    let issueDate = CivilDate(daysSinceEpoch: Int(try row.integer(4)))
    let micromonths = try row.integer(7)
    let currency = try row.text(9)
    let fact = PolicyFact(
      policyID: try row.text(0), customerID: try row.optionalText(1),
      outcome: Self.outcome(state, cause: try row.integer(3)), issueDate: issueDate, endDate: try day(5),
      observedUntil: try day(6), exactMicromonths: micromonths > 0 ? micromonths : nil,
      annualPremium: try row.optionalInteger(8).flatMap { Core.Money(minorUnits: $0, currencyCode: currency) },
      frequency: Core.PremiumFrequency(rawValue: Int(try row.integer(10))))
    return try fact.asOf(parameters.asOf).map { ScannedPolicy(fact: $0, group: try group(row, issueDate)) }
  }

  /// The state says whether it has ended; the cause stands beside it, or follows from it.
  private static func outcome(_ state: PolicyState, cause: Int64) -> PolicyFact.Outcome {
    guard [.surrendered, .matured, .expired, .terminated].contains(state) else { return .inForce }
    if let known = Core.EndCause(rawValue: Int(cause)) { return .ended(known) }
    return switch state {
    case .surrendered: .ended(.surrender)
    case .matured: .ended(.maturity)
    case .expired: .ended(.expiry)
    default: .ended(nil)
    }
  }

  private func group(_ row: Row, _ issueDate: CivilDate) throws -> String {
    func looked<Value>(_ make: (Int32) -> Value) throws -> Value {
      make(Int32(truncatingIfNeeded: try row.optionalInteger(16) ?? 0))
    }
    func number(_ column: Int) throws -> Int32 { Int32(truncatingIfNeeded: try row.integer(column)) }
    let value =
      switch parameters.dimension {
      case .premiumFrequency:
        DimensionText.word(API.PremiumFrequency(rawValue: try number(10)).name, "PREMIUM_FREQUENCY_")
      case .channel: DimensionText.word(Channel(rawValue: try number(11)).name, "CHANNEL_")
      case .product: try row.text(12)
      case .partner: try row.text(13)
      case .branch: try row.text(14)
      case .agent: try row.text(15)
      case .team: try row.optionalText(16) ?? ""
      case .productLine: DimensionText.word(try looked(ProductLine.init(rawValue:)).name, "PRODUCT_LINE_")
      case .productState: DimensionText.word(try looked(ProductState.init(rawValue:)).name, "PRODUCT_STATE_")
      case .issueMonth: String(issueDate.description.prefix(7))
      default: DimensionText.all
      }
    return value.isEmpty ? DimensionText.unknown : value
  }

  /// The instalments of these policies and of no others: between two policies of one source lie those of all others.
  private func premiums(of policies: [String]) async throws -> [String: [PremiumFact]] {
    let list = try Statement.list(policies.map(SQLValue.text))
    var premiums: [String: [PremiumFact]] = [:]
    var last = (policy: "", dueDate: Int64.min)
    while true {
      let rows = try await database.query(
        Statement(
          """
          SELECT policy_id, due_date, due, currency, received_date, received, automatic_loan FROM premium
          WHERE generation = ? AND policy_id IN (\(list.sql)) AND (policy_id, due_date) > (?, ?)
          ORDER BY policy_id, due_date LIMIT ?
          """,
          [.integer(generation)] + list.parameters
            + [.text(last.policy), .integer(last.dueDate), .integer(Self.pagePremiums)]), access: .scan)
      for row in rows {
        last = (try row.text(0), try row.integer(1))
        if let premium = try Self.premium(row) { premiums[last.policy, default: []].append(premium) }
      }
      guard rows.count == Int(Self.pagePremiums) else { return premiums }
    }
  }

  private static func premium(_ row: Row) throws -> PremiumFact? {
    guard let due = Core.Money(minorUnits: try row.integer(2), currencyCode: try row.text(3)) else { return nil }
    return PremiumFact(
      dueDate: CivilDate(daysSinceEpoch: Int(try row.integer(1))), due: due,
      receivedDate: try row.optionalInteger(4).map { CivilDate(daysSinceEpoch: Int($0)) },
      receivedMinorUnits: try row.integer(5), isAutomaticLoan: try row.integer(6) == 1)
  }
}

import API
import Core
import CustomerDomain
import RPCCore
import Storage
import UseCases

/// An instalment as it is stored.
struct PremiumRecord: Sendable {
  let policyID: String
  let dueDate: CivilDate
  /// 1 at creation, one more with each change; also the version of its newest event.
  var version: Int64
  /// A PremiumInstalment without its policy.
  var payload: [UInt8]

  /// As callers see it.
  func message() throws -> PremiumInstalment {
    var premium = try PremiumInstalment(serialized: payload)
    premium.policyID = policyID
    return premium
  }

  /// What its events are about: POLICY_ID/DUE_DATE.
  var aggregateID: String { "\(policyID)/\(dueDate)" }
}

extension PremiumFacts {
  /// The facts of an instalment as it came; notes what has no place in the domain.
  init(_ premium: PremiumInstalment, faults: inout ViolationList) {
    let dueDate = CivilDate.read(premium.dueDate, "due_date", faults: &faults)
    if premium.dueDate == nil { faults.add("due_date", "is required") }
    let due = Core.Money.read(premium.due, "due", faults: &faults)
    if premium.due == nil { faults.add("due", "is required") }
    let day = CivilDate.read(premium.receivedDate, "received_date", faults: &faults)
    let amount = Core.Money.read(premium.received, "received", faults: &faults)
    let method = CustomerDomain.PaymentMethod(rawValue: Int(premium.method.rawValue))
    if method == nil, premium.method != .unspecified { faults.add("method", "is not known") }
    var payment: Payment?
    if let day, let amount, let method {
      payment = Payment(date: day, amount: amount, method: method)
    } else if premium.receivedDate != nil || premium.received != nil || premium.method != .unspecified {
      faults.add("received", "received_date, received and method belong together")
    }
    self.init(
      // What stands in for a missing day or amount is never kept: the fault is noted.
      dueDate: dueDate ?? CivilDate(daysSinceEpoch: 0), due: due ?? .zeroYuan, payment: payment)
  }
}

extension PremiumInstalment {
  /// The facts as a message without the policy.
  init(_ facts: PremiumFacts) {
    self.init(
      dueDate: CalendarDate(facts.dueDate), due: API.Money(facts.due),
      receivedDate: facts.payment.map { CalendarDate($0.date) }, received: facts.payment.map { API.Money($0.amount) },
      method: API.PaymentMethod(rawValue: Int32(facts.payment?.method.rawValue ?? 0)))
  }
}

/// Reads instalments.
struct PremiumRepository: Sendable {
  let database: any Database

  private static let select = "SELECT policy_id, due_date, version, payload FROM premium WHERE policy_id"

  /// Those of the policies, by `PremiumRecord.aggregateID`.
  func premiums(policies: [String]) async throws -> [String: PremiumRecord] {
    let list = try Statement.list(policies.map(SQLValue.text))
    let rows = try await database.query(Statement(Self.select + " IN (\(list.sql))", list.parameters), access: .scan)
    let records = try rows.map(Self.record)
    return Dictionary(records.map { ($0.aggregateID, $0) }, uniquingKeysWith: { $1 })
  }

  /// At most so many of a policy by due date, behind a day ("2026-01-31"; empty begins).
  func premiums(policy: PolicyID, after day: String, limit: Int) async throws -> [PremiumRecord] {
    try await database.query(
      Statement(
        Self.select + " = ? AND due_date > ? ORDER BY due_date LIMIT ?",
        [.id(policy), .text(day), .integer(Int64(limit))]),
      access: .point
    ).map(Self.record)
  }

  private static func record(_ row: Row) throws -> PremiumRecord {
    guard let dueDate = CivilDate(try row.text(1)) else { throw RPCError.damaged("due date of a premium") }
    return PremiumRecord(
      policyID: try row.text(0), dueDate: dueDate, version: try row.integer(2), payload: try row.blob(3))
  }
}

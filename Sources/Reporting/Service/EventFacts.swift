import API
import Core
import Protobuf
import ReportingDomain
import Storage

/// What an event changes in the tables of facts.
enum EventFacts {
  /// What became of an event.
  enum Effect {
    /// These rows are news; none for a kind that no figure needs.
    case rows([Statement])
    /// This program does not know the kind, or cannot read it: a newer program may.
    case unknown
  }

  /// The effect in one generation of the facts.
  static func effect(of event: Event, generation: Int64) -> Effect {
    let payload = event.payload?.value ?? []
    let place = FactPlace(generation: generation, version: event.aggregateVersion)
    do {
      switch event.type {
      case PolicyChanged.fullName: return .rows(policy(try PolicyChanged(serialized: payload).policy, place))
      case PremiumChanged.fullName: return .rows(premium(try PremiumChanged(serialized: payload).premium, place))
      case PartyChanged.fullName: return .rows(party(try PartyChanged(serialized: payload), place))
      case AgentChanged.fullName: return .rows(agent(try AgentChanged(serialized: payload).agent, place))
      case BranchChanged.fullName: return .rows(branch(try BranchChanged(serialized: payload).branch, place))
      case PartnerChanged.fullName: return .rows(partner(try PartnerChanged(serialized: payload).partner, place))
      case ProductChanged.fullName: return .rows(product(try ProductChanged(serialized: payload).product, place))
      case TeamChanged.fullName: return .rows(team(try TeamChanged(serialized: payload).team, place))
      case ActivityRecorded.fullName: return .rows([])
      default: return .unknown
      }
    } catch {
      return .unknown
    }
  }

  private static func policy(_ policy: Policy?, _ place: FactPlace) -> [Statement] {
    guard let policy, let issued = days(policy.issueDate) else { return [] }
    return [
      FactTable.policy.upsert(
        place,
        [
          .text(policy.policyID), .text(policy.source), .text(policy.policyholderPartyID), .text(policy.productCode),
          .integer(Int64(policy.channel.rawValue)), .text(policy.partnerID), .text(policy.branchID),
          .text(policy.agentID), .integer(Int64(policy.premiumFrequency.rawValue)),
          .integer(Int64(policy.state.rawValue)), .integer(Int64(policy.endCause.rawValue)), .integer(issued),
          .optional(days(policy.endDate)), .optional(days(policy.observedUntilDate)),
          .integer(policy.observedDurationMicromonths), .optional(policy.annualPremium?.minorUnits),
          .text(policy.annualPremium?.currencyCode ?? ""),
        ])
    ]
  }

  private static func premium(_ premium: PremiumInstalment?, _ place: FactPlace) -> [Statement] {
    guard let premium, let dueDate = days(premium.dueDate), let due = premium.due else { return [] }
    return [
      FactTable.premium.upsert(
        place,
        [
          .text(premium.policyID), .integer(dueDate), .integer(due.minorUnits), .text(due.currencyCode),
          .optional(days(premium.receivedDate)), .integer(premium.received?.minorUnits ?? 0),
          .integer(premium.method == .automaticLoan ? 1 : 0),
        ])
    ]
  }

  private static func party(_ party: PartyChanged, _ place: FactPlace) -> [Statement] {
    [FactTable.party.upsert(place, [.text(party.partyID), .text(party.source), .text(party.customerID)])]
  }

  private static func agent(_ agent: Agent?, _ place: FactPlace) -> [Statement] {
    guard let agent else { return [] }
    return [
      FactTable.agent.upsert(
        place,
        [
          .text(agent.agentID), .text(agent.code), .text(agent.name), .text(agent.branchID), .text(agent.teamID),
          .integer(Int64(agent.state.rawValue)),
        ])
    ]
  }

  private static func branch(_ branch: Branch?, _ place: FactPlace) -> [Statement] {
    guard let branch else { return [] }
    return [FactTable.branch.upsert(place, [.text(branch.branchID), .text(branch.code), .text(branch.name)])]
  }

  private static func team(_ team: Team?, _ place: FactPlace) -> [Statement] {
    guard let team else { return [] }
    return [FactTable.team.upsert(place, [.text(team.teamID), .text(team.branchID), .text(team.name)])]
  }

  private static func partner(_ partner: Partner?, _ place: FactPlace) -> [Statement] {
    guard let partner else { return [] }
    return [
      FactTable.partner.upsert(
        place,
        [.text(partner.partnerID), .text(partner.code), .text(partner.name), .integer(Int64(partner.kind.rawValue))])
    ]
  }

  private static func product(_ product: Product?, _ place: FactPlace) -> [Statement] {
    guard let product else { return [] }
    return [
      FactTable.product.upsert(
        place,
        [
          .text(product.productID), .text(product.code), .text(product.name), .integer(Int64(product.line.rawValue)),
          .integer(Int64(product.state.rawValue)),
        ])
    ]
  }

  /// A day as it is stored; nil if there is none.
  private static func days(_ date: CalendarDate?) -> Int64? {
    guard let date, let day = CivilDate(year: Int(date.year), month: Int(date.month), day: Int(date.day)) else {
      return nil
    }
    return Int64(day.daysSinceEpoch)
  }
}

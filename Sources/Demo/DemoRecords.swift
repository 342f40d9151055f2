import AgentDomain
import Core
import CustomerDomain
import PartnerDomain

/// A branch (分公司): one per 省级行政区.
public struct DemoBranch: Sendable {
  /// Two capital letters.
  public let code: String
  /// For example "广东分公司".
  public let name: String
  /// For example "广东省".
  public let region: String
}

/// A team of a branch.
public struct DemoTeam: Sendable {
  /// Code of its branch.
  public let branchCode: String
  /// Unique within the branch.
  public let name: String
}

/// A person who sells.
public struct DemoAgent: Sendable {
  /// A permit to sell.
  public struct Licence: Sendable {
    /// Registration number.
    public let number: String
    /// What it allows.
    public let line: LicenceLine
    /// 省级行政区, or "*".
    public let region: String
    /// First day.
    public let from: CivilDate
    /// Last day; nil without one.
    public let until: CivilDate?
  }

  /// Staff number.
  public let code: String
  /// Its name.
  public let name: String
  /// What it belongs to.
  public let kind: AgentType
  /// Code of its branch.
  public let branchCode: String
  /// Name of its team; empty for agents of partners.
  public let teamName: String
  /// Code of its firm, for agents of partners.
  public let partnerCode: String
  /// Seller grade, "1" to "5".
  public let grade: String
  /// First day.
  public let joinDate: CivilDate
  /// State at the end of the history.
  public let state: AgentState
  /// Since when it is in that state; nil for those who are active.
  public let stateDate: CivilDate?
  /// Oldest first.
  public let licences: [Licence]
  /// One of the tenth that holds most customers.
  let isStar: Bool
  /// What it sells through.
  let channel: SaleChannel

  /// Whether it could sell on this day.
  public func works(on day: CivilDate) -> Bool { joinDate <= day && stateDate.map { day < $0 } ?? true }
}

/// A company under contract.
public struct DemoPartner: Sendable {
  /// Unique.
  public let code: String
  /// Invented.
  public let name: String
  /// What it is.
  public let kind: PartnerKind
  /// 统一社会信用代码, with a place that does not exist.
  public let companyCode: String
  /// First day of the agreement.
  public let contractFrom: CivilDate
  /// Last day; nil without one.
  public let contractUntil: CivilDate?
  /// 0 for the twenty that bring most business, 1 for the next eighty, 2 for the others.
  let tier: Int
}

/// A product.
public struct DemoProduct: Sendable {
  /// Kinds of products; the numbers are those of mainstay.partner.v1.ProductLine.
  public enum Line: Int, CaseIterable, Sendable {
    /// 终身寿险
    case wholeLife = 1
    /// 定期寿险
    case termLife = 2
    /// 两全保险
    case endowment = 3
    /// 年金保险
    case annuity = 4
    /// 重大疾病保险
    case criticalIllness = 5
    /// 医疗保险
    case medical = 6
    /// 意外伤害保险
    case accident = 7
  }

  /// When it is sold through a channel.
  public struct Window: Sendable {
    /// The channel.
    public let channel: SaleChannel
    /// First day.
    public let from: CivilDate
    /// Last day; nil without one.
    public let until: CivilDate?

    /// Whether the day lies in it.
    public func contains(_ day: CivilDate) -> Bool { from <= day && until.map { day <= $0 } ?? true }
  }

  /// Unique.
  public let code: String
  /// Invented.
  public let name: String
  /// Its kind.
  public let line: Line
  /// Code of the insurer; empty for the house's own.
  public let insurerCode: String
  /// Smallest yearly premium in fen.
  public let minimumAnnualPremium: Int
  /// First day of each version, oldest first.
  public let versionDays: [CivilDate]
  /// When it is sold through whom.
  public let windows: [Window]
  /// Whether it is withdrawn at the end of the history.
  public let isWithdrawn: Bool
  /// Its share beside others of its line.
  let weight: Int
  /// Years until the contract ends by itself, which is then paid at once; nil for long contracts.
  let termYears: Int?
}

/// One person or company as one source knows it.
public struct DemoParty: Sendable {
  /// Who it is.
  public enum Subject: Sendable {
    /// A human being; the family and given name, or both undivided.
    case person(family: String, given: String, full: String, birthDate: CivilDate?, isFemale: Bool?)
    /// A company.
    case company(name: String, shortName: String)
  }

  /// Which system it comes from.
  public let source: String
  /// Its key there; the digits are those of the person, in every source.
  public let sourceKey: String
  /// Who it is.
  public let subject: Subject
  /// Kind, issuer, value.
  public let identifiers: [(kind: PartyIdentifier.Kind, issuer: String, value: String)]
  /// As the source writes them.
  public let phones: [String]
  /// At example.com.
  public let emails: [String]
  /// Street and number; empty if the source knows no address.
  public let street: String
  /// 区/县
  public let district: String
  /// City.
  public let city: String
  /// 省级行政区
  public let province: String
  /// Six digits; may be empty.
  public let postalCode: String
  /// The person or company, numbered from 0: the same in every source.
  public let customer: Int
  /// What it buys through.
  let channel: SaleChannel
  /// Code of the branch.
  let branchCode: String
  /// Place in the agents; nil if it has none.
  var agent: Int?
  /// Birth year of the insured.
  let birthYear: Int
}

/// A contract.
public struct DemoPolicy: Sendable {
  /// Which system it comes from; that of its holder.
  public let source: String
  /// Its number there.
  public let sourceKey: String
  /// Key of the holder.
  public let holderKey: String
  /// Product.
  public let productCode: String
  /// Channel.
  public let channel: SaleChannel
  /// How often a premium is due.
  public let frequency: PremiumFrequency
  /// One year's premium, or the whole if single, in fen.
  public let annualPremium: Int
  /// In fen.
  public let sumAssured: Int
  /// Day of issue.
  public let issueDate: CivilDate
  /// Code of the agent; may be empty.
  public let agentCode: String
  /// Code of the partner; may be empty.
  public let partnerCode: String
  /// Code of the branch.
  public let branchCode: String
  /// Where it stands at the end of the history.
  public let state: PolicyState
  /// First day on which it no longer stood; nil if it stands.
  public let endDate: CivilDate?
  /// Why it ended; nil if it stands or was given back.
  public let endCause: EndCause?
}

/// An instalment of a premium.
public struct DemoInstalment: Sendable {
  /// Place of its policy in `DemoData.policies`.
  public let policy: Int
  /// When it is due.
  public let dueDate: CivilDate
  /// In fen.
  public let due: Int
  /// When all of it was received; nil as long as it was not.
  public let receivedDate: CivilDate?
  /// 自动垫交: the insurer lent it.
  public let isAutomaticLoan: Bool
}

/// What an agent did. Numbers are those of mainstay.agent.v1.
public struct DemoActivity: Sendable {
  /// Place of the agent in `DemoData.agents`.
  public let agent: Int
  /// Place of the party in `DemoData.parties`; nil if it is a stranger.
  public let party: Int?
  /// 1 visit, 2 call, 3 invitation.
  public let kind: Int
  /// 1 no answer, 2 refused, 3 follow-up, 4 proposal, 5 sold.
  public let outcome: Int
  /// Seconds since 1970.
  public let seconds: Int
  /// How long; 0 for none.
  public let minutes: Int
  /// May be empty.
  public let notes: String
}

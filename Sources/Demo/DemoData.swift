import Core

/// A life insurer that does not exist, with three and a half years of history, made from a seed: the same seed and size give the
/// same data on every machine, since nothing but whole numbers is used. `DemoPlan` has all shares and probabilities.
public struct DemoData: Sendable {
  /// Goes up when the same seed gives other data than before.
  public static let edition = 1
  /// What `mainstay demo load` takes.
  public static let defaultSeed: UInt64 = 20_251_231
  /// The withdrawn product that comes last in `products`.
  public static let markerProductCode = DemoPlan.withdrawn.last
  /// Sizes in percent.
  public static let sizes = 1...100

  /// One per region.
  public let branches: [DemoBranch]
  /// At least one per branch.
  public let teams: [DemoTeam]
  /// Always 500.
  public let agents: [DemoAgent]
  /// Always 213.
  public let partners: [DemoPartner]
  /// Always 60.
  public let products: [DemoProduct]
  /// 13,000 at full size, of 10,000 people and companies.
  public let parties: [DemoParty]
  /// 30,000 at full size.
  public let policies: [DemoPolicy]
  /// In order of their policies, then of their due dates.
  public let instalments: [DemoInstalment]
  /// In order of their agents.
  public let activities: [DemoActivity]

  /// Data of a size in percent, held within `sizes`: it scales customers and all that hangs on them, while branches, agents,
  /// partners and products are always all there.
  public init(seed: UInt64 = DemoData.defaultSeed, percent: Int = 100) {
    let percent = min(max(percent, DemoData.sizes.lowerBound), DemoData.sizes.upperBound)
    let catalogue = Catalogue(seed: seed)
    let organisation = Organisation(seed: seed, partners: catalogue.partners)
    let people = People(seed: seed, customers: DemoPlan.customers * percent / 100, agents: organisation.agents)
    let portfolio = Portfolio(
      seed: seed, count: DemoPlan.policies * percent / 100, parties: people.parties, agents: organisation.agents,
      catalogue: catalogue)
    (branches, teams, agents) = (organisation.branches, organisation.teams, organisation.agents)
    (partners, products, parties) = (catalogue.partners, catalogue.products, people.parties)
    (policies, instalments) = (portfolio.policies, portfolio.instalments)
    activities = Diary(seed: seed, percent: percent, agents: agents, parties: parties).activities
  }
}

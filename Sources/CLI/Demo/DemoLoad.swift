import API
import Core
import Demo
import RPCCore
import RPCTransport

/// Which demo data: what the marker in the system says.
struct DemoEdition: Sendable {
  let percent: Int

  /// Kept as the reason of the withdrawals, which are the last step of a load: where the last of them is, everything is there.
  var reason: String {
    "产品升级停售 (\(DemoEdition.mark)\(DemoData.edition), seed \(DemoData.defaultSeed), size \(percent) %)"
  }

  /// What every reason of demo data has in it.
  static let mark = "demo data, edition "

  /// Tells requests of one edition from those of another. At most 64 characters with a code.
  func requestID(_ key: String) -> String { "demo-\(DemoData.edition)-\(percent)-\(key)" }
}

/// What a step came to.
struct DemoStep: Sendable {
  let records: String
  var created = 0
  var updated = 0
  var unchanged = 0
  var seconds = 0.0
}

/// Brings the demo data into a running system by the same calls that anybody can make. Everything is known by its code or key, so
/// a load that was broken off is simply run again. Confined to one task.
final class DemoLoad {
  /// Calls under way at once.
  static let parallelCalls = 32
  /// Rows that are committed together.
  static let batchRows = 500

  let session: Session
  let edition: DemoEdition
  let data: DemoData
  let showsProgress: Bool
  private(set) var steps: [DemoStep] = []
  var branchIDs: [String: String] = [:]
  var teamIDs: [String: String] = [:]
  var partnerIDs: [String: String] = [:]
  var agentIDs: [String: String] = [:]

  init(session: Session, edition: DemoEdition, showsProgress: Bool) {
    (self.session, self.edition, self.showsProgress) = (session, edition, showsProgress)
    data = DemoData(percent: edition.percent)
  }

  /// Whether this edition is in the system, by one call. Throws if it is another one.
  static func isLoaded(_ session: Session, _ edition: DemoEdition) async throws -> Bool {
    guard let last = DemoData.markerProductCode else { return false }
    do {
      let product = try await ProductServiceClient(channel: session.channel).getProduct(
        GetProductRequest(code: last), options: session.unaryOptions())
      guard product.state == .withdrawn else { return false }
      if product.withdrawReason == edition.reason { return true }
      let other =
        product.withdrawReason.contains(DemoEdition.mark) ? "other demo data" : "products of its own with these codes"
      throw CommandFailure("this system has \(other); load into an empty state folder (--home)")
    } catch let error as RPCError where error.code == .notFound {
      return false
    }
  }

  /// Whether the first party that ever came is none of the demo's.
  static func isUsed(_ session: Session) async throws -> Bool {
    let first = try await CustomerServiceClient(channel: session.channel).listParties(
      ListPartiesRequest(pageSize: 1), options: session.unaryOptions()
    ).parties.first
    return first.map { !$0.source.hasPrefix("demo-") } ?? false
  }

  /// All steps, in the order in which one needs the other; the withdrawals come last.
  func run() async throws -> [DemoStep] {
    try await step("branches") { try await self.loadBranches(&$0) }
    try await step("teams") { try await self.loadTeams(&$0) }
    try await step("partners") { try await self.loadPartners(&$0) }
    try await step("agents") { try await self.loadAgents(&$0) }
    try await step("products") { try await self.loadProducts(&$0) }
    try await step("parties") { try await self.loadParties(&$0) }
    try await step("policies") { try await self.loadPolicies(&$0) }
    try await step("premiums") { try await self.loadPremiums(&$0) }
    try await step("activities") { try await self.loadActivities(&$0) }
    try await step("withdrawals") { try await self.withdraw(&$0) }
    return steps
  }

  private func step(_ records: String, _ body: (inout DemoStep) async throws -> Void) async throws {
    if showsProgress { StandardError.write("\r\(records) …\u{1B}[K") }
    let clock = session.loop.clock
    let started = clock.monotonicNanoseconds()
    var step = DemoStep(records: records)
    try await body(&step)
    step.seconds = Double(clock.monotonicNanoseconds() - started) / 1e9
    steps.append(step)
    if showsProgress { StandardError.write("\r\u{1B}[K") }
  }

  // MARK: streams

  private var sources: [String] { Array(Set(data.parties.map(\.source))).sorted() }

  private func loadParties(_ step: inout DemoStep) async throws {
    for source in sources {
      let rows = data.parties.filter { $0.source == source }
      try await send(PartyImport.self, source, rows.count, &step) { DemoMessages.party(rows[$0]) }
    }
  }

  private func loadPolicies(_ step: inout DemoStep) async throws {
    for source in sources {
      let rows = data.policies.filter { $0.source == source }
      try await send(PolicyImport.self, source, rows.count, &step) { DemoMessages.policy(rows[$0]) }
    }
  }

  private func loadPremiums(_ step: inout DemoStep) async throws {
    let policies = data.policies
    for source in sources {
      let rows = data.instalments.filter { policies[$0.policy].source == source }
      try await send(PremiumImport.self, source, rows.count, &step) {
        DemoMessages.premium(rows[$0], of: policies[rows[$0].policy])
      }
    }
  }

  private func send<Target: ImportTarget>(
    _ target: Target.Type, _ source: String, _ count: Int, _ step: inout DemoStep,
    _ make: @escaping (Int) -> Target.Record
  ) async throws {
    let rows = DemoRows(count: count, make: make)
    let progress = ImportProgress(isShown: showsProgress, totalBytes: count, clock: session.loop.clock)
    let summary = try await ImportRun(
      target, session: session, source: source, records: rows, progress: progress, batchRows: DemoLoad.batchRows
    ).run()
    if let reason = rows.firstReason {
      throw CommandFailure("\(rows.rejectedRows) of the \(step.records) of \(source) were refused; \(reason)")
    }
    step.created += summary.created
    step.updated += summary.updated
    step.unchanged += summary.unchanged
  }
}

import Core
import Foundation
import MainstayTesting
import Testing

/// kill -9 of any process at any moment of an import, with the real programs: all rows are there once, and all figures are what
/// the rows give. MAINSTAY_CRASH_ROUNDS sets how many rounds, MAINSTAY_CRASH_SEED which.
@Suite(
  .serialized, .timeLimit(.minutes(max(15, CrashDraw.rounds / 2))),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct CrashTests {
  /// Rounds in one system: the events of all are replayed by each rebuild.
  private static let roundsPerSystem = 20
  /// Rounds between two rebuilds.
  private static let roundsPerRebuild = 10

  @Test func rowsAndFiguresOutliveKillsAtAnyMoment() async throws {
    var done = 0
    while done < CrashDraw.rounds {
      let system = try RunningSystem()
      try #require(try await system.up().code == 0)
      do {
        try await run(min(Self.roundsPerSystem, CrashDraw.rounds - done), from: done, in: system)
      } catch {
        Issue.record("MAINSTAY_CRASH_SEED=\(CrashDraw.seed): \(error)\n\(system.endOfLogs())")
        done = CrashDraw.rounds
      }
      done += Self.roundsPerSystem
      try await system.down()
      let checked = try await system.mainstay(["storage", "check", "--format", "csv"])
      #expect(checked.code == 0, "MAINSTAY_CRASH_SEED=\(CrashDraw.seed): \(checked.output)\(checked.errors)")
    }
  }

  private func run(_ count: Int, from first: Int, in system: RunningSystem) async throws {
    let state = CrashedSystem(system)
    try await state.prepare()
    for number in 0..<count {
      var random = CrashDraw.generator(round: first + number)
      let round = try CrashRound(number: first + number, in: system, branch: state.branch, random: &random)
      state.add(round.book, agents: round.agents)
      let story = try await round.run()
      let context: Comment = "MAINSTAY_CRASH_SEED=\(CrashDraw.seed), round \(first + number): \(story)"
      print(context.rawValue)
      fflush(nil)
      try await state.check(round.book, context)
      guard (number + 1) % Self.roundsPerRebuild == 0 || number + 1 == count else { continue }
      try await state.checkRebuilt(killing: random.oneIn(2), at: .random(in: 0..<1_500, using: &random), context)
      // A supervisor waits longer and longer for a process that dies again and again; a fresh one does not.
      try await system.down()
      try #require(try await system.up().code == 0, context)
    }
  }
}

/// A system, and what must be in it.
final class CrashedSystem {
  let system: RunningSystem
  private(set) var books: [CrashBook] = []
  private(set) var agents: Set<String> = []
  private(set) var partners: Set<String> = []
  private(set) var branch = ""

  init(_ system: RunningSystem) { self.system = system }

  func prepare() async throws {
    for (name, text) in [
      ("customers", CrashBook.customerMapping), ("policies", CrashBook.policyMapping),
      ("premiums", CrashBook.premiumMapping), ("changes", CrashBook.customerMapping),
    ] { try system.home.write("\(name).yaml", text + "\n") }
    let body = #"{"branch": {"code": "CR", "name": "Branch", "region": "广东省"}, "requestId": "branch"}"#
    _ = try await system.answer(["call", "mainstay.agent.v1.AgentService/CreateBranch", body])
    let listed = try await system.answer(["agents", "branches", "--format", "csv"])
    branch = String(try #require(listed.split(separator: "\n").last?.split(separator: ",").first))
  }

  func add(_ book: CrashBook, agents: [String]) {
    books.append(book)
    self.agents.formUnion(agents)
    partners.formUnion(book.partners)
  }

  /// All of a round's rows once, and the figures that they give.
  func check(_ book: CrashBook, _ context: Comment) async throws {
    try await importAgain(book, context)
    let clusters = cells(
      try await system.answer(["customers", "clusters", "--source", book.source, "--format", "csv"]))
    #expect(clusters.map { $0[0] }.sorted() == (0..<book.holders).map { "h\($0)" }.sorted(), context)
    #expect(Set(clusters.map { $0[1] }).count == book.holders, context)
    let policies = cells(try await system.answer(["policies", "list", "--source", book.source, "--format", "csv"]))
    #expect(policies.map { $0[1] }.sorted() == book.policies.indices.map { "p\($0)" }.sorted(), context)
    let agents = cells(try await system.answer(["agents", "list", "--format", "csv"]))
    #expect(agents.map { $0[1] }.sorted() == self.agents.sorted(), context)
    let partners = cells(try await system.answer(["partners", "list", "--format", "csv"]))
    #expect(partners.map { $0[1] }.sorted() == self.partners.sorted(), context)
    try await waitForReporting(context)
    try await checkFigures(of: book, context)
  }

  /// Nothing is left to do.
  private func importAgain(_ book: CrashBook, _ context: Comment) async throws {
    // Not the customers as they were before they changed.
    for (step, rows) in zip(CrashRound.steps.dropFirst(), [book.policies.count, book.premiums, book.holders]) {
      let summary = try await system.answer(step.arguments(system, book.source) + ["--format", "json"])
      #expect(
        summary.contains("\"created\": 0, \"updated\": 0, \"unchanged\": \(rows), \"rejected\": 0"),
        "\(step.name): \(summary); \(context)")
    }
  }

  /// Until reporting says that it has all. Each row made one event, and one more when it changed, and each event counts once: never more, and in the end no less.
  private func waitForReporting(_ context: Comment) async throws {
    let expected = [
      "customer": books.reduce(0) { $0 + $1.events }, "agent": 1 + agents.count, "partner": partners.count,
    ]
    var told = ""
    let isCaughtUp = try await eventually(within: .seconds(90)) {
      told = try await system.answer(["reports", "lag", "--format", "csv"])
      return cells(told).allSatisfy { $0[2] == "true" && $0[4] == "\(expected[$0[0]] ?? -1)" && $0[6] == "false" }
    }
    #expect(isCaughtUp, "\(told) instead of \(expected); \(context)")
  }

  private func checkFigures(of book: CrashBook, _ context: Comment) async throws {
    for (arguments, csv) in book.figures() {
      let source = book.source.isEmpty ? [] : ["--source", book.source]
      let printed = try await system.answer(["reports", "run"] + arguments + source + ["--format", "csv"])
      #expect(printed == csv, "\(arguments); \(context)")
    }
  }

  /// The same figures for all that was ever imported, from zero; reporting may be killed on the way.
  func checkRebuilt(killing: Bool, at milliseconds: Int, _ context: Comment) async throws {
    let running = try Program.Running(
      "mainstay", ["reports", "rebuild", "--format", "csv"], environment: ["MAINSTAY_HOME": system.home.path])
    if killing {
      try await Task.sleep(for: .milliseconds(milliseconds))
      system.kill("reporting")
    }
    let result = try await running.result()
    #expect(killing || result.code == 0, "\(result.errors); \(context)")
    try await waitForReporting(context)
    try await checkFigures(
      of: CrashBook(all: books), "rebuilt\(killing ? ", killed at \(milliseconds) ms" : ""); \(context)")
  }

  private func cells(_ csv: String) -> [[String]] {
    csv.split(separator: "\n").dropFirst().map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
  }
}

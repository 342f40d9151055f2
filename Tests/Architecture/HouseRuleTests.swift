import Testing

/// Each rule holds for the sources, and finds a planted breach: a rule that cannot fail proves nothing.
@Suite struct HouseRuleTests {
  typealias Rule = @Sendable (SourceText) -> [Violation]

  static let rules: [(name: String, rule: Rule)] = [
    ("files have at most 600 lines", HouseRules.fileLength),
    ("functions have at most 60 lines", HouseRules.functionLength),
    ("main has at most 40 lines", HouseRules.mainLength),
    ("nothing traps", HouseRules.noTraps),
    ("tasks are started by the event loop", HouseRules.noLooseTasks),
    ("time and randomness are parameters", HouseRules.noAmbientClockOrRandomness),
    ("public symbols are documented", HouseRules.publicSymbolsAreDocumented),
    ("names say something", HouseRules.noEmptyNames),
  ]

  @Test(arguments: rules.indices) func sourcesKeepTheRule(index: Int) throws {
    let (name, rule) = Self.rules[index]
    let found = try Repository.sources().filter { !$0.isForTests }.flatMap(rule)
    #expect(found.isEmpty, "\(name):\n\(found.map(\.description).joined(separator: "\n"))")
  }

  @Test func testsAreNoLongerThanSources() throws {
    let files = try Repository.swift(in: "Tests") + Repository.sources().filter(\.isForTests)
    let found = files.flatMap { HouseRules.fileLength($0) + HouseRules.functionLength($0) }
    #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
  }

  @Test func plantedLongFileIsFound() {
    #expect(HouseRules.fileLength(source(String(repeating: "// line\n", count: 700))).count == 1)
    #expect(HouseRules.fileLength(source("let a = 1\n")) == [])
  }

  @Test func plantedLongMainIsFound() {
    let long = String(repeating: "print(1)\n", count: 50)
    #expect(HouseRules.mainLength(source(long, path: "Sources/CLI/main.swift")).count == 1)
    #expect(HouseRules.mainLength(source(long, path: "Sources/CLI/Import.swift")) == [])
  }

  @Test(arguments: [
    "func work() {\nBODY}\n", "  public init(\n    a: Int\n  )\n    async throws\n  {\nBODY  }\n",
    "@inlinable static func work(_ a: () -> Void = {}) -> Int {\nBODY}\n", "deinit {\nBODY}\n",
  ])
  func plantedLongFunctionIsFound(shape: String) {
    func body(_ lines: Int) -> String { String(repeating: "  if a { b() }\n", count: lines) }
    #expect(HouseRules.functionLength(source(shape.replacing("BODY", with: body(60)))).count == 1)
    #expect(HouseRules.functionLength(source(shape.replacing("BODY", with: body(50)))) == [])
  }

  @Test func aRequirementWithoutABodyIsNotALongFunction() {
    let text = "protocol P {\n  func a()\n  func b() -> Int\n}\n" + String(repeating: "let a = { 1 }\n", count: 100)
    #expect(HouseRules.functionLength(source(text)) == [])
  }

  @Test(arguments: [
    "try! work()", "let a = b as! Int", "fatalError(\"no\")", "let a = values.first!", "let a = values[0]!.name",
    "let a = find()!", "var handle: OpaquePointer!", "let a = \"\\(values.first!)\"",
  ])
  func plantedTrapIsFound(line: String) {
    #expect(!HouseRules.noTraps(source("func f() {\n  \(line)\n}\n")).isEmpty)
  }

  @Test(arguments: [
    "if a != b {}", "if !a {}", "// try! it", "let a = \"stop!\"", "let a = text.contains(/\\w!/)",
    "let a = #\"it's \"new\"!\"#", "#if !DEBUG", "/* as! */ let a = 1", "print(\"\"\"\n  now!\n  \"\"\")",
  ])
  func harmlessExclamationMarkPasses(line: String) {
    #expect(HouseRules.noTraps(source(line)) == [])
  }

  @Test(arguments: [
    "Task { await work() }", "Task.detached { }", "Task(priority: .high) { }", "let task = Task<Void, Never> { }",
    "try await Task.sleep(for: .seconds(1))", "Task(executorPreference: loop) { }",
  ])
  func plantedTaskIsFound(line: String) {
    #expect(!HouseRules.noLooseTasks(source(line)).isEmpty)
    #expect(HouseRules.noLooseTasks(source(line, path: "Sources/RPC/RPCTransport/EventLoop/EventLoop.swift")) == [])
  }

  @Test func askingATaskWhetherItIsCancelledPasses() {
    #expect(HouseRules.noLooseTasks(source("if Task.isCancelled { return }\ntry Task.checkCancellation()")) == [])
  }

  @Test(arguments: [
    "let now = Date()", "let now = ContinuousClock().now", "clock_gettime(CLOCK_REALTIME, &time)", "let a = UUID()",
    "let a = Int.random(in: 0..<4)", "let a = values.shuffled()", "var generator = SystemRandomNumberGenerator()",
  ])
  func plantedAmbientValueIsFound(line: String) {
    #expect(!HouseRules.noAmbientClockOrRandomness(source(line)).isEmpty)
  }

  @Test func randomnessFromAParameterPasses() {
    let text = "let a = Int.random(in: 0..<4, using: &generator)\nlet b = Date(timeIntervalSince1970: 0)"
    #expect(HouseRules.noAmbientClockOrRandomness(source(text)) == [])
  }

  @Test(arguments: [
    "public struct A {}", "/// A.\npublic struct A {\n  public var b = 1\n}", "@inlinable\npublic func f() {}",
    "/// P.\npublic protocol P {\n  func f()\n}", "// why\npublic let a = 1",
  ])
  func plantedUndocumentedSymbolIsFound(text: String) {
    #expect(HouseRules.publicSymbolsAreDocumented(source(text)).count == 1)
  }

  @Test(arguments: [
    "/// A.\n@frozen\npublic struct A {}", "public import Core", "struct A { case b }",
    "/// E.\npublic enum E {\n  case a, b\n}",
    "/// E.\npublic enum E {\n  /// F.\n  public func f() {\n    switch self {\n    case .a: 1\n    }\n  }\n}",
  ])
  func documentedSymbolPasses(text: String) {
    #expect(HouseRules.publicSymbolsAreDocumented(source(text)) == [])
  }

  @Test(arguments: [
    "struct DateUtils {}", "final class CacheManager {}", "enum CommonHelpers {}", "struct NewParser {}",
  ])
  func plantedEmptyNameIsFound(text: String) {
    #expect(!HouseRules.noEmptyNames(source(text)).isEmpty)
    #expect(HouseRules.noEmptyNames(source("", path: "Sources/Core/StringUtils.swift")).count == 1)
  }

  private func source(_ text: String, path: String = "Sources/Core/Planted.swift") -> SourceText {
    SourceText(path: path, text: text)
  }
}

/// The house rules of CONTRIBUTING.md, each a function from one file to what breaks it.
enum HouseRules {
  static let maximumFileLines = 600
  static let maximumFunctionLines = 60
  static let maximumMainLines = 40

  /// A file must fit into one head.
  static func fileLength(_ file: SourceText) -> [Violation] {
    let count = file.lines.count
    return count <= maximumFileLines ? [] : [Violation(path: file.path, line: 0, problem: "\(count) lines")]
  }

  /// main only puts parts together.
  static func mainLength(_ file: SourceText) -> [Violation] {
    let isMain = file.path.hasSuffix("/main.swift") || file.path.contains("/main/")
    guard isMain, file.lines.count > maximumMainLines else { return [] }
    return [Violation(path: file.path, line: 0, problem: "main has \(file.lines.count) lines")]
  }

  /// Files that may call fatalError, with the reason: no input from a peer, a file or a flag leads there.
  static let deliberateTraps = [
    "Sources/Protobuf/Runtime/Arena.swift": "a process without thread-specific keys cannot work, at its first message"
  ]

  /// A trap on input from outside takes the whole process down.
  static func noTraps(_ file: SourceText) -> [Violation] {
    let fatal = deliberateTraps[file.path] == nil ? find(in: file, [(/\bfatalError\s*\(/, "fatalError")]) : []
    return fatal
      + find(
        in: file,
        [
          (/\btry!/, "try!"), (/\bas!/, "as!"),
          (/\b(?!try!|as!)\w+!(?!=)/, "force unwrap"), (/[\])}]!(?!=)/, "force unwrap"),
        ])
  }

  /// Tasks are started by the event loop alone: elsewhere nobody would wait for them, cancel them or count them.
  static func noLooseTasks(_ file: SourceText) -> [Violation] {
    if file.path.hasPrefix("Sources/RPC/RPCTransport/EventLoop/") { return [] }
    return find(
      in: file,
      [
        (/\bTask(?:<[^>]*>)?\s*(?:\([^)]*\)\s*)?\{/, "Task outside the event loop"),
        (/\bTask(?:<[^>]*>)?\s*\(/, "Task outside the event loop"),
        (/\bTask\s*\.\s*(?:detached|immediate)/, "Task outside the event loop"),
        (/\bTask\s*\.\s*sleep/, "Task.sleep"), (/\bThread\s*\.\s*sleep/, "Thread.sleep"),
      ])
  }

  /// Time and randomness come in as parameters, so that a test or the simulation can decide them.
  static func noAmbientClockOrRandomness(_ file: SourceText) -> [Violation] {
    var found: [Violation] = []
    if file.path != "Sources/Core/Clock.swift" {
      found += find(
        in: file,
        [
          (/\bDate\(\)|\bDate\.now\b/, "ambient clock"), (/\b(?:Continuous|Suspending)Clock\b/, "ambient clock"),
          (/\b(?:clock_gettime|gettimeofday|mach_absolute_time)\b/, "ambient clock"),
          (/\btime\(nil\)/, "ambient clock"), (/\bDispatch(?:Wall)?Time\.now/, "ambient clock"),
        ])
    }
    if file.path != "Sources/Core/RandomSource.swift" {
      found += find(
        in: file,
        [
          (/\bSystemRandomNumberGenerator\b/, "ambient randomness"), (/\bUUID\(\)/, "ambient randomness"),
          (/\.random\((?!.*using:)/, "ambient randomness"),
          (/\.(?:randomElement|shuffled|shuffle)\(\)/, "ambient randomness"),
          (/\b(?:getrandom|getentropy|arc4random\w*|drand48)\(/, "ambient randomness"),
        ])
    }
    return found
  }

  /// Names that say nothing collect whatever nobody wanted to name.
  static func noEmptyNames(_ file: SourceText) -> [Violation] {
    let name = file.path.split(separator: "/").last ?? ""
    let empty = /(?:Utils?|Utilit(?:y|ies)|Helpers?|Managers?|Common)(?:\.swift)?$/
    let inPath = name.contains(empty) ? [Violation(path: file.path, line: 0, problem: "a name that says nothing")] : []
    let ending =
      /\b(?:struct|class|enum|protocol|actor|typealias)\s+\w*(?:Utils?|Utilit(?:y|ies)|Helpers?|Managers?|Common)\b/
    let beginning = /\b(?:struct|class|enum|protocol|actor|typealias)\s+New[A-Z]/
    return inPath + find(in: file, [(ending, "a name that says nothing"), (beginning, "a name that says nothing")])
  }

  /// The lines of code that match, with what is wrong. A regex is compiled once per instance, so one serves all lines.
  private static func find(in file: SourceText, _ patterns: [(Regex<Substring>, String)]) -> [Violation] {
    patterns.flatMap { pattern, problem in
      let pattern = pattern.wordBoundaryKind(.simple)
      return file.code.enumerated().filter { $0.element.firstMatch(of: pattern) != nil }
        .map { Violation(path: file.path, line: $0.offset + 1, problem: problem) }
    }
  }
}

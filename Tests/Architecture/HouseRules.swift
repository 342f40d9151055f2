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
    let fatal =
      deliberateTraps[file.path] == nil ? find(in: file, [("fatalError", /\bfatalError\s*\(/, "fatalError")]) : []
    return fatal
      + find(
        in: file,
        [
          ("try!", /\btry!/, "try!"), ("as!", /\bas!/, "as!"),
          ("!", /\b(?!try!|as!)\w+!(?!=)/, "force unwrap"), ("!", /[\])}]!(?!=)/, "force unwrap"),
        ])
  }

  /// Tasks are started by the event loop alone: elsewhere nobody would wait for them, cancel them or count them.
  static func noLooseTasks(_ file: SourceText) -> [Violation] {
    if file.path.hasPrefix("Sources/RPC/RPCTransport/EventLoop/") { return [] }
    return find(
      in: file,
      [
        ("Task", /\bTask(?:<[^>]*>)?\s*(?:\([^)]*\)\s*)?\{/, "Task outside the event loop"),
        ("Task", /\bTask(?:<[^>]*>)?\s*\(/, "Task outside the event loop"),
        ("Task", /\bTask\s*\.\s*(?:detached|immediate)/, "Task outside the event loop"),
        ("sleep", /\bTask\s*\.\s*sleep/, "Task.sleep"), ("sleep", /\bThread\s*\.\s*sleep/, "Thread.sleep"),
      ])
  }

  /// Time and randomness come in as parameters, so that a test or the simulation can decide them.
  static func noAmbientClockOrRandomness(_ file: SourceText) -> [Violation] {
    var found: [Violation] = []
    if file.path != "Sources/Core/Clock.swift" {
      found += find(
        in: file,
        [
          ("Date", /\bDate\(\)|\bDate\.now\b/, "ambient clock"),
          ("Clock", /\b(?:Continuous|Suspending)Clock\b/, "ambient clock"),
          ("time", /\b(?:clock_gettime|gettimeofday)\b|\btime\(nil\)/, "ambient clock"),
          ("Dispatch", /\bDispatch(?:Wall)?Time\.now/, "ambient clock"),
        ])
    }
    if file.path != "Sources/Core/RandomSource.swift" {
      found += find(
        in: file,
        [
          ("Random", /\bSystemRandomNumberGenerator\b/, "ambient randomness"),
          ("UUID", /\bUUID\(\)/, "ambient randomness"),
          ("random", /\.random\((?!.*using:)/, "ambient randomness"),
          ("random", /\b(?:getrandom|arc4random\w*)\(|\.randomElement\(\)/, "ambient randomness"),
          ("shuffle", /\.shuffled?\(\)/, "ambient randomness"),
        ])
    }
    return found
  }

  /// Names that say nothing collect whatever nobody wanted to name.
  static func noEmptyNames(_ file: SourceText) -> [Violation] {
    let problem = "a name that says nothing"
    let name = file.path.split(separator: "/").last ?? ""
    let empty = /(?:Utils?|Utilit(?:y|ies)|Helpers?|Managers?|Common)(?:\.swift)?$/
    let inPath = name.contains(empty) ? [Violation(path: file.path, line: 0, problem: problem)] : []
    let ending =
      /\b(?:struct|class|enum|protocol|actor|typealias)\s+\w*(?:Utils?|Utilit(?:y|ies)|Helpers?|Managers?|Common)\b/
    let beginning = /\b(?:struct|class|enum|protocol|actor|typealias)\s+New[A-Z]/
    let suspects = ["Util", "Helper", "Manager", "Common"]
    return inPath + find(in: file, suspects.map { ($0, ending, problem) } + [("New", beginning, problem)])
  }

  /// The lines of code that match, with what is wrong. Only lines with the word are looked at closely: matching is slow.
  private static func find(
    in file: SourceText, _ patterns: [(word: String, pattern: Regex<Substring>, problem: String)]
  ) -> [Violation] {
    file.code.enumerated().flatMap { index, line in
      patterns.filter { line.contains($0.word) && line.contains($0.pattern.wordBoundaryKind(.simple)) }
        .map { Violation(path: file.path, line: index + 1, problem: $0.problem) }
    }
  }
}

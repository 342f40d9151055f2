import Glibc
import Yams

/// A service's settings: its file, MAINSTAY_* variables over it, flags over those. An unknown key anywhere is an error.
public struct Configuration: Sendable {
  private struct Value {
    var text: String
    /// What a relative path is relative to: the file's folder, or "" for the working folder.
    var folder: String
  }

  private var values: [String: Value] = [:]
  private let keys: [ConfigurationKey]
  /// The file that was read; nil if there was none.
  public private(set) var file: String?

  /// What the command line asks for beside settings.
  public enum Request: Sendable, Equatable {
    /// Run.
    case serve
    /// Say whether the configuration is right, and end.
    case check
    /// Print the help, and end.
    case help
  }

  /// Reads everything. Throws `ConfigurationError` with one line that names the place.
  public init(
    arguments: [String], environment: [String: String], keys: [ConfigurationKey]
  ) throws(ConfigurationError) {
    self.keys = keys
    let (flags, file) = try Configuration.parse(arguments, keys: keys)
    for key in keys { key.defaultValue.map { values[key.name] = Value(text: $0, folder: "") } }
    self.file = file ?? environment["MAINSTAY_CONFIG"]
    if let path = self.file { try read(path) }
    for (variable, text) in environment where variable.hasPrefix("MAINSTAY_") {
      // Variables of other programs of the family are not ours to judge.
      if let key = keys.first(where: { $0.variable == variable }) {
        values[key.name] = Value(text: text, folder: "")
      }
    }
    for (name, text) in flags { values[name] = Value(text: text, folder: "") }
    for key in keys where key.defaultValue == nil && !key.name.hasSuffix(".*") && values[key.name] == nil {
      throw ConfigurationError("\(key.name) is not set; give it in the file, as \(key.variable) or as \(key.flag)")
    }
  }

  /// What the command line asks for.
  public static func request(_ arguments: [String]) -> Request {
    if arguments.contains("--help") || arguments.contains("-h") { return .help }
    return arguments.contains("--check-config") ? .check : .serve
  }

  /// Text of a setting; "" if it is not set.
  public func text(_ name: String) -> String { values[name]?.text ?? "" }

  /// A path; a relative one is relative to the folder of the file it stands in.
  public func path(_ name: String) -> String {
    guard let value = values[name] else { return "" }
    return value.text.hasPrefix("/") || value.folder.isEmpty ? value.text : "\(value.folder)/\(value.text)"
  }

  /// Paths with commas between, each as `path` says; none of an empty text.
  public func paths(_ name: String) -> [String] {
    let folder = values[name]?.folder ?? ""
    return text(name).split(separator: ",").map { part in
      let path = String(part.drop { $0 == " " })
      return path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)"
    }
  }

  /// A path behind a scheme, for example "sqlite:../data/customer.db".
  public func location(_ name: String) throws(ConfigurationError) -> (scheme: String, path: String) {
    let parts = text(name).split(separator: ":", maxSplits: 1)
    guard parts.count == 2 else { throw ConfigurationError("\(name): \(text(name)) is not SCHEME:PATH") }
    let (path, folder) = (String(parts[1]), values[name]?.folder ?? "")
    return (String(parts[0]), path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)")
  }

  /// A whole number within a range.
  public func integer(_ name: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
    guard let number = Int(text(name)), range.contains(number) else {
      throw ConfigurationError("\(name): \(text(name)) is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// One of a few words.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _: Choice.Type
  ) throws(ConfigurationError) -> Choice where Choice.RawValue == String {
    if let choice = Choice(rawValue: text(name)) { return choice }
    let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw ConfigurationError("\(name): \(text(name)) is none of \(words)")
  }

  /// HOST:PORT.
  public func address(_ name: String) throws(ConfigurationError) -> (host: String, port: Int) {
    try Configuration.address(name, text(name))
  }

  /// HOST:PORT, or several with commas between.
  public func addresses(_ name: String) throws(ConfigurationError) -> [(host: String, port: Int)] {
    var addresses: [(host: String, port: Int)] = []
    for part in text(name).split(separator: ",", omittingEmptySubsequences: false) {
      addresses.append(try Configuration.address(name, String(part.drop { $0 == " " })))
    }
    return addresses
  }

  private static func address(_ name: String, _ value: String) throws(ConfigurationError) -> (host: String, port: Int) {
    guard let colon = value.lastIndex(of: ":"), let port = Int(value[value.index(after: colon)...]),
      (0...65_535).contains(port), colon != value.startIndex
    else { throw ConfigurationError("\(name): \(value) is not HOST:PORT") }
    return (value[..<colon].filter { $0 != "[" && $0 != "]" }, port)
  }

  /// All settings below a name, without it: names("upstreams") of "upstreams.customer" is ["customer"].
  public func names(below prefix: String) -> [String] {
    values.keys.filter { $0.hasPrefix(prefix + ".") && !$0.hasSuffix(".*") }
      .map { String($0.dropFirst(prefix.count + 1)) }.sorted()
  }

  /// Full names of the settings that say something else than those of another configuration, in order.
  public func changes(from other: Configuration) -> [String] {
    Set(values.keys).union(other.values.keys).filter { text($0) != other.text($0) }.sorted()
  }

  private mutating func read(_ path: String) throws(ConfigurationError) {
    let text = try readTextFile(path, maximumBytes: maximumFileBytes)
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw ConfigurationError("\(path): \(error)") }
    let folder =
      path.contains("/")
      ? path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") : "."
    guard let root else { return }
    guard root.mapping != nil else { throw ConfigurationError("\(path): must hold KEY: VALUE lines") }
    try add(root, name: "", file: path, folder: folder.isEmpty ? "/" : folder)
  }

  private mutating func add(_ node: Node, name: String, file: String, folder: String) throws(ConfigurationError) {
    if let mapping = node.mapping {
      for (key, value) in mapping {
        let part = key.string ?? ""
        try add(value, name: name.isEmpty ? part : "\(name).\(part)", file: file, folder: folder)
      }
      return
    }
    let place = "\(file):\(node.mark?.line ?? 0)"
    guard keys.contains(where: { $0.covers(name) }) else {
      throw ConfigurationError("\(place): unknown key \(name)\(suggestion(name))")
    }
    guard let text = node.scalar?.string else { throw ConfigurationError("\(place): \(name) must be one value") }
    values[name] = Value(text: text, folder: folder)
  }

  private func suggestion(_ name: String) -> String {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    let near = keys.first { $0.name.hasSuffix(last) || $0.name.hasPrefix(name) }
    return near.map { "; is \($0.name) meant?" } ?? "; --help lists the keys"
  }

  private static func parse(
    _ arguments: [String], keys: [ConfigurationKey]
  ) throws(ConfigurationError) -> (flags: [String: String], file: String?) {
    var flags: [String: String] = [:]
    var file: String?
    var index = 0
    while index < arguments.count {
      let parts = arguments[index].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
        String.init)
      let flag = parts.first ?? ""
      index += 1
      if flag == "--check-config" { continue }
      let key = keys.first { $0.flag == flag }
      guard key != nil || flag == "--config" else {
        throw ConfigurationError("unknown argument \(flag); --help lists them")
      }
      var value = parts.count == 2 ? parts[1] : nil
      if value == nil, index < arguments.count {
        value = arguments[index]
        index += 1
      }
      guard let value else { throw ConfigurationError("\(flag) needs a value") }
      if let key { flags[key.name] = value } else { file = value }
    }
    return (flags, file)
  }
}

/// A setting that cannot be used: one line that names the place and what is expected. Exit code 2.
public struct ConfigurationError: Error, CustomStringConvertible, Equatable {
  /// The line.
  public let description: String

  /// A setting that cannot be used.
  public init(_ description: String) {
    self.description = description
  }
}

/// Largest configuration file that is read, in bytes.
private let maximumFileBytes = 1_048_576

/// The text of a file that is not larger than it may be.
func readTextFile(_ path: String, maximumBytes: Int) throws(ConfigurationError) -> String {
  guard let file = fopen(path, "r") else {
    throw ConfigurationError("cannot read \(path): \(String(cString: strerror(errno)))")
  }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
  let count = fread(&bytes, 1, bytes.count, file)
  guard ferror(file) == 0 else { throw ConfigurationError("cannot read \(path): is it a file?") }
  guard count <= maximumBytes else { throw ConfigurationError("\(path) is larger than \(maximumBytes) bytes") }
  guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
    throw ConfigurationError("\(path) is not UTF-8")
  }
  return text
}

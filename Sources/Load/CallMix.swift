import Core
import Yams

/// What is called, and how often each in proportion to the others.
struct CallMix: Sendable, Equatable {
  /// One kind of call.
  struct Entry: Sendable, Equatable {
    /// PACKAGE.SERVICE/METHOD.
    var method: String
    var request: RequestText
    var weight = 1
  }

  /// Most kinds of calls in one mix.
  static let maximumEntries = 1_000
  private static let maximumWeight = 1_000_000

  var entries: [Entry]

  /// One kind of call.
  init(method: String, request: String) throws(LoadFailure) {
    entries = [Entry(method: method, request: try RequestText(request))]
  }

  /// Reads a mix, in YAML or JSON:
  ///
  ///     calls:
  ///       - method: mainstay.customer.v1.CustomerService/GetCustomer
  ///         data: {customerId: cus_1}       or JSON in quotes, or @FILE
  ///         weight: 9                       1 without it
  init(text: String, name: String) throws(LoadFailure) {
    let root: Node?
    do { root = try Yams.compose(yaml: text) } catch { throw .usage("\(name) is neither YAML nor JSON: \(error)") }
    guard let list = root?["calls"]?.sequence, !list.isEmpty else { throw .usage("\(name) needs a list \"calls\"") }
    guard list.count <= CallMix.maximumEntries else {
      throw .usage("\(name) has more than \(CallMix.maximumEntries) calls")
    }
    var entries: [Entry] = []
    for (number, node) in list.enumerated() { entries.append(try CallMix.entry(node, "\(name): call \(number + 1)")) }
    self.entries = entries
  }

  private static func entry(_ node: Node, _ place: String) throws(LoadFailure) -> Entry {
    guard let mapping = node.mapping else { throw .usage("\(place) must hold method, data and weight") }
    for key in mapping.keys where !["method", "data", "weight"].contains(key.string) {
      throw .usage("\(place): unknown entry \(key.string ?? "?"); there are method, data and weight")
    }
    guard let method = mapping["method"]?.string else { throw .usage("\(place) needs a method") }
    var entry = Entry(method: method, request: try RequestText(try request(mapping["data"])))
    if let weight = mapping["weight"] {
      guard let number = weight.int, (1...maximumWeight).contains(number) else {
        throw .usage("\(place): weight must be a whole number from 1 to \(maximumWeight)")
      }
      entry.weight = number
    }
    return entry
  }

  private static func request(_ node: Node?) throws(LoadFailure) -> String {
    guard let node else { return "{}" }
    guard let text = node.string, node.mapping == nil else { return json(node) }
    return try requestText(text)
  }

  /// "@FILE" is the file's text.
  static func requestText(_ text: String) throws(LoadFailure) -> String {
    text.hasPrefix("@") ? String(decoding: try TextFile.read(String(text.dropFirst())), as: UTF8.self) : text
  }

  /// YAML as JSON: numbers, booleans and null where YAML's rules say so.
  private static func json(_ node: Node) -> String {
    if let mapping = node.mapping {
      return "{" + mapping.map { "\(jsonString($0.key.string ?? "")): \(json($0.value))" }.joined(separator: ", ") + "}"
    }
    if let sequence = node.sequence { return "[" + sequence.map(json).joined(separator: ", ") + "]" }
    let text = node.string ?? ""
    switch node.tag {
    case Tag(.int) where Int(text) != nil, Tag(.float) where Double(text) != nil: return text
    case Tag(.bool): return node.bool == true ? "true" : "false"
    case Tag(.null): return "null"
    default: return jsonString(text)
    }
  }
}

import Storage

/// The statements that one connection of the server keeps prepared, by their text; the one that was not used for longest makes room.
///
/// A parameter's type is taken from the value that comes first. A NULL has none, so the server guesses; once a value of that
/// parameter comes, the statement is prepared anew with its type.
struct ServerStatements {
  /// What must be sent before a statement can run.
  struct Use {
    let name: String
    /// The types to prepare it with; nil if it is prepared.
    var preparation: [UInt32]?
    /// Statements that the server shall forget.
    var forgotten: [String] = []
  }

  private struct Entry {
    var name: String
    var types: [UInt32]
    var lastUse: UInt64
  }

  private var entries: [String: Entry] = [:]
  private var uses: UInt64 = 0
  private var undead: [String] = []
  private let limit: Int

  init(limit: Int) { self.limit = max(limit, 1) }

  var count: Int { entries.count }

  mutating func use(_ sql: String, _ parameters: [SQLValue]) -> Use {
    uses += 1
    var forgotten = undead
    undead = []
    if let index = entries.index(forKey: sql) {
      entries.values[index].lastUse = uses
      guard let types = merged(entries.values[index].types, parameters) else {
        return Use(name: entries.values[index].name, forgotten: forgotten)
      }
      forgotten.append(entries.values[index].name)
      let name = "m\(uses)"
      entries.values[index].name = name
      entries.values[index].types = types
      return Use(name: name, preparation: types, forgotten: forgotten)
    }
    if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      forgotten.append(oldest.value.name)
      entries.removeValue(forKey: oldest.key)
    }
    let entry = Entry(name: "m\(uses)", types: parameters.map(\.serverType), lastUse: uses)
    entries[sql] = entry
    return Use(name: entry.name, preparation: entry.types, forgotten: forgotten)
  }

  /// The server did not prepare it.
  mutating func remove(_ sql: String, name: String) {
    if entries[sql]?.name == name { entries.removeValue(forKey: sql) }
  }

  /// The server did not forget it: an error came before.
  mutating func keep(_ name: String) { undead.append(name) }

  /// The types if the known ones do not fit these values, else nil.
  private func merged(_ types: [UInt32], _ parameters: [SQLValue]) -> [UInt32]? {
    var merged: [UInt32]?
    for (index, parameter) in parameters.enumerated() {
      let type = parameter.serverType
      if type != 0, types[index] != type { merged = (merged ?? types).with(type, at: index) }
    }
    return merged
  }
}

extension [UInt32] {
  fileprivate func with(_ type: UInt32, at index: Int) -> [UInt32] {
    var changed = self
    changed[index] = type
    return changed
  }
}

extension SQLValue {
  /// The server's number of the type; 0 lets it guess.
  var serverType: UInt32 {
    switch self {
    case .null: 0
    case .integer: ServerType.int8
    case .real: ServerType.float8
    case .text: ServerType.text
    case .blob: ServerType.bytea
    }
  }
}

/// The server's numbers of types (pg_type.oid), fixed for ever.
enum ServerType {
  static let bool: UInt32 = 16
  static let bytea: UInt32 = 17
  static let name: UInt32 = 19
  static let int8: UInt32 = 20
  static let int2: UInt32 = 21
  static let int4: UInt32 = 23
  static let text: UInt32 = 25
  static let float4: UInt32 = 700
  static let float8: UInt32 = 701
  static let unknown: UInt32 = 705
  static let varchar: UInt32 = 1_043
  static let numeric: UInt32 = 1_700
  static let void: UInt32 = 2_278
}

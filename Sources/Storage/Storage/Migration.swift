import Core

/// One step of the schema, applied once and never changed afterwards.
///
/// Written in the words TEXT, INTEGER, REAL, BLOB and STRICT; the PostgreSQL driver turns them into TEXT COLLATE "C",
/// BIGINT, DOUBLE PRECISION, BYTEA and nothing. `sqlite` is for what has no counterpart, such as an FTS5 table.
public struct Migration: Sendable {
  /// Whose tables: each component counts its versions from 1.
  public let component: String
  /// 1, 2, 3 … without a gap.
  public let version: Int
  /// What it does, in a few words.
  public let name: String
  /// One SQL statement each.
  public let statements: [String]
  /// In place of `statements` on SQLite.
  public let sqlite: [String]?
  /// What becomes of programs of the version before.
  public let effect: Effect

  /// What a migration means to programs that do not know it.
  public enum Effect: Sendable {
    /// They go on reading and writing beside it, and may start again: it only adds what they do without.
    case expands
    /// None of them may run: it takes away or changes what they use.
    case contracts
  }

  /// A migration. It expands only if it says so.
  public init(
    component: String = "service", version: Int, name: String, statements: [String], sqlite: [String]? = nil,
    effect: Effect = .contracts
  ) {
    self.component = component
    self.version = version
    self.name = name
    self.statements = statements
    self.sqlite = sqlite
    self.effect = effect
  }

  /// One for both databases, whose tables lie in the order of their primary key on SQLite, so that a lookup by it goes through
  /// one tree. `statements` is given what a CREATE TABLE must end with.
  public static func keyed(
    component: String = "service", version: Int, name: String, effect: Effect = .contracts,
    _ statements: (String) -> [String]
  ) -> Migration {
    Migration(
      component: component, version: version, name: name, statements: statements("STRICT"),
      sqlite: statements("STRICT, WITHOUT ROWID"), effect: effect)
  }

  /// Which database it runs on.
  public enum Dialect: Sendable {
    /// SQLite 3.40 or later.
    case sqlite
    /// PostgreSQL.
    case postgresql
  }

  /// The statements for a database.
  public func statements(for dialect: Dialect) -> [String] {
    switch dialect {
    case .sqlite: sqlite ?? statements
    case .postgresql: statements
    }
  }

  /// 16 hexadecimal digits over the statements for a database, behind "+" if it expands: whoever does not know the migration reads
  /// there whether it may go on.
  public func checksum(for dialect: Dialect) -> String {
    var fingerprint = Fingerprint()
    for statement in statements(for: dialect) { fingerprint.add(statement) }
    let digits = String(fingerprint.value, radix: 16)
    return (effect == .expands ? "+" : "") + String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}

/// A migration as the database remembers it, in the table schema_migration.
public struct AppliedMigration: Hashable, Sendable {
  /// Whose tables.
  public let component: String
  /// The version within the component.
  public let version: Int
  /// `Migration.checksum` as it was applied.
  public let checksum: String
  /// Whether programs that do not know it may go on.
  public var expands: Bool { checksum.hasPrefix("+") }

  /// What the database remembers.
  public init(component: String, version: Int, checksum: String) {
    self.component = component
    self.version = version
    self.checksum = checksum
  }
}

/// Why a schema cannot be brought to the program's version; nothing was changed.
public enum MigrationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The program's list has a gap or a repeated version.
  case invalidList(component: String, version: Int)
  /// A newer program has been here, and has taken away what this one uses.
  case databaseIsNewer(component: String, version: Int)
  /// The migration contracts, and other replicas are at work on the database.
  case othersAreAtWork(component: String, version: Int)
  /// A migration differs from the one that was applied.
  case changed(component: String, version: Int)

  /// One line for the person who must act.
  public var description: String {
    switch self {
    case .invalidList(let component, let version):
      "the program's migrations of \(component) must count 1, 2, 3 …; version \(version) is out of order"
    case .databaseIsNewer(let component, let version):
      "the database has version \(version) of \(component), which this program does not know; run a newer program"
    case .othersAreAtWork(let component, let version):
      "migration \(version) of \(component) takes away what older programs use, and replicas are at work on this database; stop all of them, then start this program (docs/runbooks/rolling-upgrade.md)"
    case .changed(let component, let version):
      "migration \(version) of \(component) was changed after it was applied; put it back and add another one"
    }
  }
}

/// Decides which migrations are still to be applied.
public enum MigrationPlan {
  /// The table that remembers them; created by the driver before it asks.
  public static let table = """
    CREATE TABLE IF NOT EXISTS schema_migration (
      component TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
      applied_time INTEGER NOT NULL, PRIMARY KEY (component, version)) STRICT
    """

  /// The part of `known` that is not `applied`, in order. What is applied and not known must have expanded.
  public static func pending(
    known: [Migration], applied: [AppliedMigration], dialect: Migration.Dialect
  ) throws(MigrationError) -> [Migration] {
    var latest: [String: Int] = [:]
    for migration in known {
      guard migration.version == latest[migration.component, default: 0] + 1 else {
        throw .invalidList(component: migration.component, version: migration.version)
      }
      latest[migration.component] = migration.version
    }
    var checksums: [String: [Int: String]] = [:]
    for migration in applied {
      guard migration.version <= latest[migration.component, default: 0] || migration.expands else {
        throw .databaseIsNewer(component: migration.component, version: migration.version)
      }
      checksums[migration.component, default: [:]][migration.version] = migration.checksum
    }
    var pending: [Migration] = []
    for migration in known {
      switch checksums[migration.component]?[migration.version] {
      case nil: pending.append(migration)
      case migration.checksum(for: dialect): continue
      case .some: throw .changed(component: migration.component, version: migration.version)
      }
    }
    return pending
  }
}

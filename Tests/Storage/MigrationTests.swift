import Core
import Storage
import Testing

@Suite struct MigrationTests {
  private let second = Migration(
    version: 2, name: "colour", statements: ["ALTER TABLE note ADD COLUMN colour TEXT"], effect: .expands)

  @Test(arguments: Backend.allCases) func migrationsGoForwardAndAreAppliedOnce(_ backend: Backend) async throws {
    let store = try await Store(backend)
    try await store.commit(insertNote("a"))
    try await store.database.migrate([TestStore.migration, second])
    try await store.database.migrate([TestStore.migration, second])
    try await store.commit(Statement("UPDATE note SET colour = 'red'"))
    let row = try await store.database.row(Statement("SELECT colour FROM note"))
    #expect(try row?.text(0) == "red")
    #expect(try await store.count("schema_migration") == Int64(StorageSchema.migrations.count + 2))
  }

  @Test(arguments: Backend.allCases) func aMigrationThatFailsLeavesNothing(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let broken = Migration(
      version: 2, name: "broken", statements: ["CREATE TABLE half (id INTEGER) STRICT", "CREATE TABLE nonsense"])
    await #expect(throws: StorageError.self) { try await store.database.migrate([TestStore.migration, broken]) }
    await #expect(throws: StorageError.self) { try await store.count("half") }
    try await store.database.migrate([TestStore.migration, second])
  }

  @Test(arguments: Backend.allCases) func aChangedMigrationIsRefused(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let changed = Migration(version: 1, name: "notes", statements: ["CREATE TABLE other (id INTEGER) STRICT"])
    await #expect(throws: MigrationError.changed(component: "service", version: 1)) {
      try await store.database.migrate([changed])
    }
  }

  @Test(arguments: Backend.allCases) func aDatabaseOfANewerProgramIsRefused(_ backend: Backend) async throws {
    let store = try await Store(backend)
    await #expect(throws: MigrationError.databaseIsNewer(component: "service", version: 1)) {
      try await store.database.migrate([])
    }
  }

  @Test(arguments: Backend.allCases) func anOlderProgramGoesOnWithASchemaThatWasExpanded(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let other = Migration(component: "other", version: 1, name: "a part of its own", statements: [], effect: .expands)
    try await store.database.migrate([TestStore.migration, second, other])
    try await store.database.migrate([TestStore.migration])
    try await store.commit(insertNote("a"))
    #expect(try await store.notes() == ["a"])
    try await store.database.migrate([TestStore.migration, second])
  }

  @Test(arguments: Backend.allCases) func anOlderProgramIsRefusedWhereASchemaWasContracted(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let third = Migration(version: 3, name: "no colour", statements: ["ALTER TABLE note DROP COLUMN colour"])
    try await store.database.migrate([TestStore.migration, second, third])
    for known in [[TestStore.migration], [TestStore.migration, second]] {
      await #expect(throws: MigrationError.databaseIsNewer(component: "service", version: 3)) {
        try await store.database.migrate(known)
      }
    }
  }

  @Test(arguments: Backend.allCases) func aGapInTheListIsRefused(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let third = Migration(version: 3, name: "too far", statements: [])
    await #expect(throws: MigrationError.invalidList(component: "service", version: 3)) {
      try await store.database.migrate([TestStore.migration, third])
    }
  }

  @Test func aDialectsOwnStatementsHaveTheirOwnChecksum() {
    let migration = Migration(version: 1, name: "x", statements: ["A"], sqlite: ["B"])
    #expect(migration.statements(for: .sqlite) == ["B"])
    #expect(migration.checksum(for: .sqlite) != migration.checksum(for: .postgresql))
  }
}

import Core
import Storage
import StorageSQLite
import Testing

/// A database that loses power several times, at moments and in ways that a seed decides.
struct PowerLossRound {
  static let writers = 6

  let seed: UInt64
  var lives = 3
  var isUnsynced = false

  /// What was lost or wrong after any of the lives; and how many batches were acknowledged in all.
  func run() async throws -> (problems: [String], acknowledgements: Int) {
    var generator = SeededGenerator(seed: seed)
    let book = PowerLossBook()
    var folder = TemporaryFolder()
    var problems: [String] = []
    for life in 1...lives {
      let disk = CrashDisk()
      disk.losePower(afterOperations: .random(in: 1...(life % 2 == 0 ? 200 : 3_000), using: &generator))
      await live(on: disk, folder, book, seed: generator.next())
      let next = TemporaryFolder()
      guard disk.salvage(into: next.path, seed: generator.next()) == 0 else { return (["cannot salvage"], 0) }
      folder = next
      problems += await check(folder, book).map { "life \(life): \($0)" }
      if !problems.isEmpty { break }
    }
    return (problems + book.refusals, book.acknowledgements)
  }

  /// Writers, a sequencer and a reader, until the disk is gone.
  private func live(on disk: CrashDisk, _ folder: TemporaryFolder, _ book: PowerLossBook, seed: UInt64) async {
    let clock = ManualClock()
    guard
      let database = try? SQLiteDatabase(
        path: folder.database, clock: clock, limits: disk.limits(isUnsynced: isUnsynced))
    else { return }
    defer { database.close() }
    guard (try? await database.migrate([TestStore.migration])) != nil,
      let log = try? await EventLog.open(database, random: SystemRandom())
    else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        let sequencer = Sequencer(database: database, log: log, holder: "one", clock: clock)
        while !Task.isCancelled, !disk.hasLostPower {
          let seen = database.committedEvents.count
          if case .numbered = try? await sequencer.step() {
            let last = try? await database.row(Statement("SELECT max(position) FROM event"))
            if let position = try? last?.optionalInteger(0) { book.acknowledge(position: position) }
          } else {
            try? await database.committedEvents.wait(after: seen)
          }
        }
      }
      await withTaskGroup(of: Void.self) { writers in
        for writer in 0..<Self.writers {
          writers.addTask { await write(database, book, disk, writer: writer, seed: seed &+ UInt64(writer)) }
        }
      }
      group.cancelAll()
    }
  }

  /// One writer's notes are its own, so that it knows what each must be.
  private func write(_ database: SQLiteDatabase, _ book: PowerLossBook, _ disk: CrashDisk, writer: Int, seed: UInt64)
    async
  {
    var generator = SeededGenerator(seed: seed)
    while true {
      let id = "w\(writer)-\(Int.random(in: 0..<40, using: &generator))"
      let length = Int.random(in: 0..<10, using: &generator) == 0 ? 9_000 : Int.random(in: 1..<400, using: &generator)
      let note = PowerLossBook.Note(
        version: (book.current(id)?.version ?? 0) + 1,
        body: String(repeating: Character(Unicode.Scalar(UInt8.random(in: 97...122, using: &generator))), count: length)
      )
      book.begin(id, note)
      do {
        try await database.commit(PowerLossBook.batch(id, note), lane: writer == 0 ? .bulk : .interactive)
      } catch {
        if !disk.hasLostPower { book.note("refused while there was power: \(error)") }
        return
      }
      book.acknowledge(id, note)
    }
  }

  /// Opens what was salvaged as any start would.
  private func check(_ folder: TemporaryFolder, _ book: PowerLossBook) async -> [String] {
    do {
      let database = try SQLiteDatabase(path: folder.database, clock: ManualClock())
      defer { database.close() }
      try await database.migrate([TestStore.migration])
      return try await book.check(database)
    } catch {
      return ["cannot be read: \(error)"]
    }
  }
}

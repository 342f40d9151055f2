import Core
import Storage
import Testing

@Suite struct IdempotencyTests {
  private func batch(_ store: Store, note: String, request: String, hash: UInt8 = 1, reply: String) -> Batch {
    Batch(
      [insertNote(note)],
      idempotency: IdempotencyRecord(
        caller: "ann", method: "Create", requestID: request, requestHash: [hash], reply: Array(reply.utf8),
        createTime: store.clock.now()))
  }

  @Test(arguments: Backend.allCases) func aRepeatedRequestGetsTheFirstAnswer(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let answers = IdempotencyStore(database: store.database)
    let before = try await answers.earlierReply(caller: "ann", method: "Create", requestID: "r", requestHash: [1])
    #expect(before == nil)
    _ = try await answers.commit(batch(store, note: "a", request: "r", reply: "first"), lane: .interactive)
    let after = try await answers.earlierReply(caller: "ann", method: "Create", requestID: "r", requestHash: [1])
    #expect(after == Array("first".utf8))
    let elsewhere = try await answers.earlierReply(caller: "bob", method: "Create", requestID: "r", requestHash: [1])
    #expect(elsewhere == nil)
  }

  @Test(arguments: Backend.allCases) func equalRequestsAtTheSameTimeWriteOnce(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let answers = IdempotencyStore(database: store.database)
    let replies = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
      for number in 0..<50 {
        group.addTask {
          // Each would create a row of its own: only the idempotency row makes them one.
          let batch = batch(store, note: "n\(number)", request: "r", reply: "reply \(number)")
          switch try await answers.commit(batch, lane: .interactive) {
          case .committed: return nil
          case .repeated(let reply): return reply
          }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(replies.count { $0 == nil } == 1)
    #expect(Set(replies.compactMap { $0 }).count == 1)
    let notes = try await store.notes()
    #expect(replies.contains(Array("reply \(notes[0].dropFirst())".utf8)))
    #expect(notes.count == 1)
  }

  @Test(arguments: Backend.allCases) func theSameIdWithOtherContentIsAConflict(_ backend: Backend) async throws {
    let store = try await Store(backend)
    let answers = IdempotencyStore(database: store.database)
    _ = try await answers.commit(batch(store, note: "a", request: "r", reply: "first"), lane: .interactive)
    let error = await #expect(throws: IdempotencyConflict.self) {
      try await answers.commit(batch(store, note: "b", request: "r", hash: 2, reply: "second"), lane: .interactive)
    }
    #expect(error?.requestID == "r")
    #expect(try await store.notes() == ["a"])
  }

  @Test(arguments: Backend.allCases) func answersAreForgottenAfterSevenDaysAThousandAtATime(_ backend: Backend)
    async throws
  {
    let store = try await Store(backend)
    let answers = IdempotencyStore(database: store.database)
    for number in 0..<1_005 {
      // One by one would wait for the disk a thousand times.
      if number % 201 == 0 {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for request in number..<number + 201 {
            let batch = batch(store, note: "n\(request)", request: "r\(request)", reply: "")
            group.addTask { _ = try await answers.commit(batch, lane: .interactive) }
          }
          try await group.waitForAll()
        }
      }
    }
    store.clock.advance(seconds: 6 * 24 * 3_600)
    _ = try await answers.commit(batch(store, note: "late", request: "late", reply: ""), lane: .interactive)
    func expire() async throws -> [Int] {
      try await store.database.commit(Batch([IdempotencyStore.expiration(now: store.clock.now())]), lane: .bulk).changes
    }
    #expect(try await expire() == [0])
    store.clock.advance(seconds: 24 * 3_600 + 1)
    #expect(try await expire() == [1_000])
    #expect(try await expire() == [5])
    #expect(try await expire() == [0])
    #expect(try await store.count("idempotency") == 1)
  }
}

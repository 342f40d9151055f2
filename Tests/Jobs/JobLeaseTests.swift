import Core
import Jobs
import Storage
import Synchronization
import Testing

/// Several replicas on one database, as on PostgreSQL.
@Suite struct JobLeaseTests {
  @Test func ofAKindOneJobRunsAtATimeWhateverTheNumberOfReplicas() async throws {
    let scene = try await JobScene()
    let (first, second) = (scene.replica("first"), scene.replica("second"))
    let (reached, gate) = (Gate(), Gate())
    let definition = JobDefinition("write", summary: "") { run in
      reached.open()
      try await gate.wait()
      return nil
    }
    try await scene.start("write", first)
    try await scene.start("write", second)
    async let step = scene.runner(first).step(definition)
    try await reached.wait()
    #expect(try await scene.runner(second).step(definition) == .heldByOther)
    gate.open()
    #expect(try await step == .attempted(.succeeded))
    // The lease was given back: nobody has to wait for it to lapse.
    #expect(try await scene.runner(second).step(definition) == .attempted(.succeeded))
  }

  @Test func replicasThatRunSideBySideDoEachJobOnce() async throws {
    let scene = try await JobScene()
    let active = Atomic<Int>(0)
    let most = Mutex<Int>(0)
    let definition = JobDefinition("write", summary: "") { run in
      let now = active.add(1, ordering: .relaxed).newValue
      most.withLock { $0 = max($0, now) }
      let number = Int64(run.parameters?.value.first ?? 0)
      try await run.save(
        Batch([Statement("INSERT INTO line (number) VALUES (?)", [.integer(number)])]), checkpoint: [1],
        progress: JobProgress())
      active.subtract(1, ordering: .relaxed)
      return nil
    }
    let replicas = ["a", "b", "c"].map { scene.replica($0) }
    for number in 1...20 {
      let (_, statement) = replicas[0].creation(
        "write", parameters: EncodedMessage(type: "test.Line", value: [UInt8(number)]), actor: "tester")
      try await scene.database.commit(Batch([statement]), lane: .interactive)
    }
    let loops = replicas.flatMap { jobs in
      JobRunner(jobs, [definition]) { _ in try await Task.sleep(for: .milliseconds(2)) }.loops { Issue.record($0) }
    }.map { loop in Task { try await loop() } }
    while try await replicas[0].list(kind: "write", onlyOpen: true, before: "", limit: 1).isEmpty == false {
      try await Task.sleep(for: .milliseconds(5))
    }
    for loop in loops { loop.cancel() }
    #expect(try await scene.lines() == Array(1...20))
    #expect(most.withLock { $0 } == 1)
  }

  @Test func whoHasLostTheLeaseCanWriteNothing() async throws {
    let scene = try await JobScene()
    let (stale, fresh) = (scene.replica("stale"), scene.replica("fresh"))
    let (reached, gate) = (Gate(), Gate())
    let slow = JobDefinition(
      "write", summary: "",
      body: JobScene.writing(4) { number in
        guard number == 3 else { return }
        reached.open()
        try await gate.wait()
      })
    let id = try await scene.start("write", stale)
    async let step = scene.runner(stale).step(slow)
    try await reached.wait()
    scene.clock.advance(seconds: 16)
    // The other one goes on from the checkpoint behind line 2, and ends it.
    let quick = JobDefinition("write", summary: "", body: JobScene.writing(4))
    #expect(try await scene.runner(fresh).step(quick) == .attempted(.succeeded))
    try await scene.database.commit(Batch([Statement("DELETE FROM line WHERE number > 2")]), lane: .bulk)
    gate.open()
    #expect(try await step == .heldByOther)
    #expect(try await scene.lines() == [1, 2])
    let job = try #require(try await fresh.job(id))
    #expect((job.state, job.starts) == (.succeeded, 2))
  }

  @Test func aLeaseIsKeptAsLongAsTheWorkGoesOn() async throws {
    let scene = try await JobScene()
    let (first, second) = (scene.replica("first"), scene.replica("second"))
    let (reached, gate) = (Gate(), Gate())
    let definition = JobDefinition("wait", summary: "") { _ in
      reached.open()
      try await gate.wait()
      return nil
    }
    try await scene.start("wait", first)
    // Each look lets two seconds pass: without renewal the lease would lapse with the eighth.
    let looks = Atomic<Int>(0)
    let runner = JobRunner(first, []) { _ in
      scene.clock.advance(seconds: 2)
      looks.add(1, ordering: .relaxed)
      try await Task.sleep(for: .milliseconds(1))
    }
    async let step = runner.step(definition)
    try await reached.wait()
    while looks.load(ordering: .relaxed) < 40 {
      #expect(try await scene.runner(second).step(definition) == .heldByOther)
      try await Task.sleep(for: .milliseconds(2))
    }
    gate.open()
    #expect(try await step == .attempted(.succeeded))
  }

  @Test func aJobThatTakesItsProcessWithItIsGivenUp() async throws {
    let scene = try await JobScene()
    let definition = JobDefinition("crash", summary: "", maximumAttempts: 2) { _ in
      try await Task.sleep(for: .seconds(3_600))
      return nil
    }
    let id = try await scene.start("crash", scene.replica("0"))
    for attempt in 1...2 {
      // A process that is gone leaves the job as it was: running.
      let process = Task { try await scene.runner(scene.replica("\(attempt)")).step(definition) }
      while try await scene.replica("").job(id)?.starts != Int64(attempt) {
        try await Task.sleep(for: .milliseconds(1))
      }
      process.cancel()
      _ = try? await process.value
      #expect(try await scene.replica("").job(id)?.state == .running)
      scene.clock.advance(seconds: 16)
    }
    #expect(try await scene.runner(scene.replica("3")).step(definition) == .attempted(.failed))
    #expect(try await scene.replica("").job(id)?.error.contains("ended 2 times") == true)
  }

  @Test func workAtSetTimesIsBegunByOneReplica() async throws {
    let scene = try await JobScene()
    let (first, second) = (scene.replica("first"), scene.replica("second"))
    let definition = JobDefinition("sweep", summary: "", interval: .seconds(60)) { _ in nil }
    #expect(try await scene.runner(first).step(definition) == .attempted(.succeeded))
    #expect(try await scene.runner(second).step(definition) == .idle)
    scene.clock.advance(seconds: 61)
    #expect(try await scene.runner(second).step(definition) == .attempted(.succeeded))
    #expect(try await scene.runner(first).step(definition) == .idle)
    let actors = try await first.list(kind: "sweep", onlyOpen: false, before: "", limit: 10).map(\.actor)
    #expect(actors == ["second", "first"])
  }
}

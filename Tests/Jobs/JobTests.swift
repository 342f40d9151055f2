import Core
import Jobs
import Storage
import Synchronization
import Testing

@Suite struct JobTests {
  @Test func aJobIsDoneAndLeavesItsResultAndProgress() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let definition = JobDefinition("write", summary: "", body: JobScene.writing(3))
    #expect(try await scene.runner(jobs).step(definition) == .idle)
    let id = try await scene.start("write", jobs)
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.succeeded))
    #expect(try await scene.lines() == [1, 2, 3])
    let job = try #require(try await jobs.job(id))
    #expect(job.state == .succeeded)
    #expect(job.result == EncodedMessage(type: "test.Lines", value: [3]))
    #expect(job.progress == JobProgress(done: 3, total: 3, unit: "lines"))
    #expect(job.endTime != nil)
    #expect(try await scene.runner(jobs).step(definition) == .idle)
  }

  @Test func anAttemptThatFailsGoesOnFromItsCheckpointAfterAPause() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let fails = Atomic<Bool>(true)
    let definition = JobDefinition(
      "write", summary: "",
      body: JobScene.writing(5) { number in
        if number == 3, fails.load(ordering: .relaxed) { throw Trouble() }
      })
    let id = try await scene.start("write", jobs)
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.waiting))
    #expect(try await jobs.job(id)?.error == "the disk of the moon is full")
    #expect(try await scene.lines() == [1, 2])
    // Not before the pause is over.
    #expect(try await scene.runner(jobs).step(definition) == .idle)
    scene.clock.advance(seconds: 2)
    fails.store(false, ordering: .relaxed)
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.succeeded))
    #expect(try await scene.lines() == [1, 2, 3, 4, 5])
    let job = try #require(try await jobs.job(id))
    #expect((job.starts, job.error) == (2, ""))
  }

  @Test func pausesDoubleAndAfterTheLastAttemptTheJobHasFailed() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let definition = JobDefinition("fail", summary: "", maximumAttempts: 4) { _ in throw Trouble() }
    let id = try await scene.start("fail", jobs)
    var pauses: [Int64] = []
    for _ in 1...3 {
      #expect(try await scene.runner(jobs).step(definition) == .attempted(.waiting))
      let job = try #require(try await jobs.job(id))
      pauses.append((job.dueTime.microsecondsSinceEpoch - job.updateTime.microsecondsSinceEpoch + 500_000) / 1_000_000)
      scene.clock.advance(seconds: pauses.last ?? 0)
      scene.clock.advance(seconds: 1)
    }
    #expect(pauses == [2, 4, 8])
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.failed))
    let job = try #require(try await jobs.job(id))
    #expect((job.state, job.attempts, job.error) == (.failed, 4, "the disk of the moon is full"))
  }

  @Test func whoeverGetsFurtherHasAllAttemptsAgain() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    // Each attempt writes one line, then fails.
    let definition = JobDefinition("write", summary: "", maximumAttempts: 2) { run in
      let started = run.progress.done
      return try await JobScene.writing(6) { if $0 > started + 1 { throw Trouble() } }(run)
    }
    try await scene.start("write", jobs)
    for _ in 1...5 {
      #expect(try await scene.runner(jobs).step(definition) == .attempted(.waiting))
      scene.clock.advance(seconds: 300)
    }
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.succeeded))
    #expect(try await scene.lines() == [1, 2, 3, 4, 5, 6])
  }

  @Test func whatCannotBeDoneIsNotTriedAgain() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let definition = JobDefinition("fail", summary: "") { _ in throw JobFailure("no such file") }
    let id = try await scene.start("fail", jobs)
    #expect(try await scene.runner(jobs).step(definition) == .attempted(.failed))
    #expect(try await jobs.job(id)?.error == "no such file")
  }

  @Test func aJobThatWaitsIsCancelledAtOnceAndNeverBegun() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let definition = JobDefinition("write", summary: "", body: JobScene.writing(3))
    let id = try await scene.start("write", jobs)
    #expect(try await jobs.cancel(id)?.state == .cancelled)
    #expect(try await scene.runner(jobs).step(definition) == .idle)
    #expect(try await scene.lines() == [])
  }

  @Test func aRunningJobWritesNothingMoreOnceItsEndWasAskedFor() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let (reached, gate) = (Gate(), Gate())
    let definition = JobDefinition(
      "write", summary: "",
      undo: { run in
        [Statement("INSERT INTO line (number) VALUES (?)", [.integer(100 + Int64(run.checkpoint.first ?? 0))])]
      },
      body: JobScene.writing(5) { number in
        guard number == 3 else { return }
        reached.open()
        try await gate.wait()
      })
    let id = try await scene.start("write", jobs)
    async let step = scene.runner(jobs).step(definition)
    try await reached.wait()
    let asked = try #require(try await jobs.cancel(id))
    #expect((asked.state, asked.cancelRequested) == (.running, true))
    gate.open()
    #expect(try await step == .attempted(.cancelled))
    // What undoes it was written with its end.
    #expect(try await scene.lines() == [1, 2, 102])
    #expect(try await jobs.cancel(id)?.state == .cancelled)
  }

  @Test func aJobsEndIsNoticedAlsoWhileItWritesNothing() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let reached = Gate()
    let definition = JobDefinition("wait", summary: "") { run in
      reached.open()
      try await Task.sleep(for: .seconds(3_600))
      return nil
    }
    let id = try await scene.start("wait", jobs)
    let runner = JobRunner(jobs, []) { _ in try await Task.sleep(for: .milliseconds(5)) }
    async let step = runner.step(definition)
    try await reached.wait()
    _ = try await jobs.cancel(id)
    #expect(try await step == .attempted(.cancelled))
  }

  @Test func finishedJobsAreForgottenAfterThirtyDays() async throws {
    let scene = try await JobScene()
    let jobs = scene.replica("one")
    let definition = JobDefinition("write", summary: "") { _ in nil }
    let done = try await scene.start("write", jobs)
    _ = try await scene.runner(jobs).step(definition)
    let open = try await scene.start("other", jobs)
    scene.clock.advance(seconds: 29 * 24 * 3_600)
    try await scene.database.commit(Batch([Jobs.expiration(now: scene.clock.now())]), lane: .bulk)
    #expect(try await jobs.job(done) != nil)
    scene.clock.advance(seconds: 24 * 3_600 + 60)
    try await scene.database.commit(Batch([Jobs.expiration(now: scene.clock.now())]), lane: .bulk)
    #expect(try await jobs.job(done) == nil)
    #expect(try await jobs.job(open) != nil)
  }
}

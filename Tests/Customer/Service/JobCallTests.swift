import API
import CustomerService
import MainstayTesting
import RPCCore
import Storage
import Testing

/// JobService, and the work that the customer service has.
@Suite struct JobCallTests {
  private func start(
    _ service: TestService, _ kind: String = "rebuild-name-index", requestID: String = ""
  ) async throws -> Job {
    try await service.unary(JobServiceMethods.startJob, StartJobRequest(kind: kind, requestID: requestID))
  }

  private func end(of job: Job, _ service: TestService) async throws -> Job {
    let states: [Job] = try await service.streaming(JobServiceMethods.watchJob, [WatchJobRequest(jobID: job.jobID)])
    return try #require(states.last)
  }

  @Test func theNameIndexIsWrittenAnewFromTheParties() async throws {
    let service = try await TestService()
    let people = (0..<1_203).map { person("\($0)", "王", "丽\($0)") }
    _ = try await service.importParties("a", Array(people[..<1_000]))
    _ = try await service.importParties("a", Array(people[1_000...]))
    let before = try await service.search("王", pageSize: 100).customers
    let last = try await service.search("1202").customers
    #expect((before.count, last.count) == (100, 1))
    // Some names are gone, some are wrong: as after a damage.
    try await service.database.commit(
      Batch([
        Statement("DELETE FROM party_name WHERE rowid % 3 = 0"),
        Statement("UPDATE party_name SET terms = 'x' WHERE rowid % 3 = 1"),
      ]), lane: .interactive)
    #expect(try await service.search("王", pageSize: 1_000).customers.count < 1_000)
    let job = try await service.whileRunning {
      let job = try await start(service)
      #expect(job.state == .waiting)
      return try await end(of: job, service)
    }
    #expect(job.state == .succeeded)
    #expect(job.progress == JobProgress(done: 1_203, total: 1_203, unit: "parties"))
    #expect(try await service.search("王", pageSize: 100).customers == before)
    #expect(try await service.number("SELECT count(*) FROM party_name") == 1_203)
    #expect(try await service.search("1202").customers == last)
  }

  @Test func aRepeatedRequestBeginsNothing() async throws {
    let service = try await TestService()
    let first = try await start(service, requestID: "once")
    #expect(try await start(service, requestID: "once").jobID == first.jobID)
    #expect(try await service.number("SELECT count(*) FROM job") == 1)
    let error = await failure { try await start(service, "housekeeping", requestID: "once") }
    #expect(error?.fields == ["request_id"])
  }

  @Test func jobsAreListedTheNewestFirstPageByPage() async throws {
    let service = try await TestService()
    var started: [String] = []
    for _ in 0..<5 {
      started.append(try await start(service).jobID)
      service.clock.advance(seconds: 1)
    }
    started.append(try await start(service, "housekeeping").jobID)
    var request = ListJobsRequest(pageSize: 2, kind: "rebuild-name-index", open: true)
    var listed: [String] = []
    repeat {
      let page: ListJobsResponse = try await service.unary(JobServiceMethods.listJobs, request)
      listed += page.jobs.map(\.jobID)
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty
    #expect(listed == started.dropLast().reversed())
  }

  @Test func aJobThatWaitsIsCancelledAndStaysSo() async throws {
    let service = try await TestService()
    let job = try await start(service)
    for _ in 0..<2 {
      let cancelled: Job = try await service.unary(
        JobServiceMethods.cancelJob, CancelJobRequest(jobID: job.jobID))
      #expect(cancelled.state == .cancelled)
    }
    #expect(try await end(of: job, service).state == .cancelled)
  }

  @Test func whatCannotBeAnsweredIsRefusedByTheRightStatus() async throws {
    let service = try await TestService()
    #expect(await failure { try await start(service, "make-coffee") }?.fields == ["kind"])
    let unknown = "job_01J9ZQ3M5V8XK2T4R6W7Y0ABCD"
    let missing = await failure {
      let job: Job = try await service.unary(JobServiceMethods.getJob, GetJobRequest(jobID: unknown))
      return job
    }
    #expect(missing?.code == .notFound)
    let done = try await service.whileRunning { try await end(of: try await start(service), service) }
    let late = await failure {
      let job: Job = try await service.unary(JobServiceMethods.cancelJob, CancelJobRequest(jobID: done.jobID))
      return job
    }
    #expect(late?.code == .failedPrecondition)
    for _ in 0..<100 { _ = try await start(service) }
    #expect(await failure { try await start(service) }?.code == .resourceExhausted)
    let kinds: ListJobKindsResponse = try await service.unary(JobServiceMethods.listJobKinds, ListJobKindsRequest())
    #expect(kinds.kinds.map(\.kind).contains("rebuild-name-index"))
  }
}

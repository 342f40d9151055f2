import API
import Core
import Jobs
import Protobuf
import RPCCore
import Storage

/// mainstay.platform.v1.JobService over a service's jobs. Every service has one.
public struct JobServiceEndpoint: JobServiceHandler {
  private let jobs: Jobs
  private let definitions: [JobDefinition]
  private let environment: Environment

  /// Serves the jobs of these kinds, which are in the environment's database.
  public init(_ jobs: Jobs, _ definitions: [JobDefinition], environment: Environment) {
    (self.jobs, self.definitions, self.environment) = (jobs, definitions, environment)
  }

  /// GetJob.
  public func getJob(_ request: GetJobRequest, _ context: ServerContext) async throws -> Job {
    Job(try await job(request.jobID))
  }

  /// ListJobs.
  public func listJobs(_ request: ListJobsRequest, _ context: ServerContext) async throws -> ListJobsResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000,
      query: ["jobs", request.kind, "\(request.open)"])
    let records = try await jobs.list(
      kind: request.kind, onlyOpen: request.open, before: try page.textPlace(), limit: page.size + 1)
    let (items, hasMore) = page.cut(records) { $0.checkpoint.count + ($0.result?.value.count ?? 0) + 512 }
    return ListJobsResponse(
      jobs: items.map { Job($0) },
      nextPageToken: hasMore ? items.last.map { page.token(after: $0.id.description) } ?? "" : "")
  }

  /// ListJobKinds.
  public func listJobKinds(
    _ request: ListJobKindsRequest, _ context: ServerContext
  ) async throws -> ListJobKindsResponse {
    let kinds = definitions.sorted { $0.kind < $1.kind }
    return ListJobKindsResponse(
      kinds: kinds.map {
        JobKind(
          kind: $0.kind, summary: $0.summary, startable: $0.isStartable,
          intervalSeconds: $0.interval?.components.seconds ?? 0, maximumAttempts: Int32(clamping: $0.maximumAttempts))
      })
  }

  /// StartJob.
  public func startJob(_ request: StartJobRequest, _ context: ServerContext) async throws -> Job {
    guard let definition = definitions.first(where: { $0.kind == request.kind }) else {
      throw RPCError.invalid("kind", "is not known here; ListJobKinds names those that are")
    }
    guard definition.isStartable else {
      throw RPCError(.failedPrecondition, "the service itself begins \(definition.kind); it cannot be begun by hand")
    }
    let parameters = request.parameters.map { EncodedMessage($0) }
    guard parameters == nil || parameters?.type == definition.parametersType else {
      let none = "must be absent: \(definition.kind) has none"
      let expected = definition.parametersType.map { "must be a \($0)" } ?? none
      throw RPCError.invalid("parameters", expected)
    }
    var content = request
    content.requestID = ""
    let identity = try RequestIdentity(request.requestID, content: content, context: context)
    let actor = context.caller?.name ?? "unknown"
    let job = try await environment.answer(identity) {
      guard try await jobs.waiting(definition.kind) < Jobs.maximumWaiting else {
        throw RPCError(
          .resourceExhausted, "\(Jobs.maximumWaiting) jobs of this kind wait already; cancel some, or try again later")
      }
      let (record, statement) = jobs.creation(definition.kind, parameters: parameters, actor: actor)
      return (Batch([statement]), Job(record))
    }
    jobs.announce()
    return job
  }

  /// CancelJob.
  public func cancelJob(_ request: CancelJobRequest, _ context: ServerContext) async throws -> Job {
    let id: JobID = try .named(request.jobID, "job_id")
    guard let record = try await jobs.cancel(id) else { throw RPCError(.notFound, "no job \(id)") }
    guard record.state != .succeeded, record.state != .failed else {
      throw RPCError(.failedPrecondition, "job \(id) has come to its end already")
    }
    return Job(record)
  }

  /// WatchJob.
  public func watchJob(
    _ request: WatchJobRequest, _ responses: ResponseWriter<Job>, _ context: ServerContext
  ) async throws {
    var last: JobRecord?
    while true {
      let seen = jobs.changes.count
      let record = try await job(request.jobID)
      if record != last { try await responses.write(Job(record)) }
      if record.endTime != nil { return }
      last = record
      try await jobs.changes.wait(after: seen)
    }
  }

  private func job(_ text: String) async throws -> JobRecord {
    let id: JobID = try .named(text, "job_id")
    guard let record = try await jobs.job(id) else { throw RPCError(.notFound, "no job \(id)") }
    return record
  }
}

extension EncodedMessage {
  private static let prefix = "type.googleapis.com/"

  /// What an Any holds; the type is what stands behind the last slash.
  fileprivate init(_ any: GoogleAny) {
    self.init(type: any.typeURL.split(separator: "/").last.map(String.init) ?? "", value: any.value)
  }

  fileprivate var any: GoogleAny { GoogleAny(typeURL: Self.prefix + type, value: value) }
}

extension Job {
  /// As callers see it.
  fileprivate init(_ record: JobRecord) {
    let progress = record.progress
    self.init(
      jobID: record.id.description, kind: record.kind,
      state: JobState(rawValue: Int32(record.state.rawValue)),
      progress: API.JobProgress(
        done: progress.done, total: progress.total, unit: progress.unit, text: progress.text),
      parameters: record.parameters?.any, result: record.result?.any, error: record.error,
      attempts: Int32(clamping: record.attempts), starts: Int32(clamping: record.starts),
      cancelRequested: record.cancelRequested, actor: record.actor, createTime: GoogleTimestamp(record.createTime),
      dueTime: GoogleTimestamp(record.dueTime), startTime: record.startTime.map { GoogleTimestamp($0) },
      updateTime: GoogleTimestamp(record.updateTime), endTime: record.endTime.map { GoogleTimestamp($0) })
  }
}

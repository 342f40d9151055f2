import API
import Jobs
import Storage

/// Builds the facts anew from the events of the other services (R13). The followers apply the events; the job begins the new
/// generations, waits until reports read them, and says how far it is. Its checkpoint names the generations: "customer=3 agent=2".
struct FactRebuild: Sendable {
  static let kind = "rebuild-facts"
  /// Pause between two looks.
  static let look = Duration.milliseconds(100)
  /// Looks between two times that the progress is saved.
  static let looksPerSave = 10

  let database: any Database
  let sources: [ReportingSource]

  var definition: JobDefinition {
    JobDefinition(
      Self.kind, summary: "Replays the events of the services that are followed, and changes over to what comes of it.",
      parametersType: RebuildReportsRequest.fullName, undo: { run in abandonment(generations(run.checkpoint)) },
      body: { run in try await rebuild(run) })
  }

  private func rebuild(_ run: JobRun) async throws -> EncodedMessage? {
    let begun = run.checkpoint.isEmpty ? try await begin(run) : generations(run.checkpoint)
    let total = run.progress.total
    var looks = 0
    while true {
      let (events, waitsFor) = try await state(of: begun)
      guard let waitsFor else {
        let reply = RebuildReportsResponse(events: events)
        try await run.save(
          checkpoint: run.checkpoint, progress: JobProgress(done: events, total: max(total, events), unit: "events"))
        return EncodedMessage(type: RebuildReportsResponse.fullName, value: try reply.serialized())
      }
      if looks % Self.looksPerSave == 0 {
        try await run.save(
          checkpoint: run.checkpoint,
          progress: JobProgress(
            done: events, total: max(total, events), unit: "events", text: "waits for \(waitsFor.rawValue)"))
      }
      looks += 1
      try await run.sleep(Self.look)
    }
  }

  /// Makes the new generations and sets the followers to work on them.
  private func begin(_ run: JobRun) async throws -> [FollowedService: Int64] {
    let request = try RebuildReportsRequest(serialized: run.parameters?.value ?? [])
    let wanted = sources.filter { request.service.isEmpty || $0.service.rawValue == request.service }
    guard !wanted.isEmpty else { throw JobFailure("no service \(request.service) is followed") }
    let repository = ProgressRepository(database: database)
    var statements: [Statement] = []
    var begun: [FollowedService: Int64] = [:]
    var total: Int64 = 0
    for source in wanted {
      let rebuild = try await repository.rebuild(of: source.service)
      begun[source.service] = rebuild.number
      statements += rebuild.statements
      total += try await repository.progress(of: source.service).current.applied
    }
    let checkpoint = begun.map { "\($0.key.rawValue)=\($0.value)" }.sorted().joined(separator: " ")
    try await run.save(
      Batch(statements), checkpoint: Array(checkpoint.utf8), progress: JobProgress(total: total, unit: "events"))
    for source in wanted { source.follower.restart() }
    return begun
  }

  /// Events applied so far, and a service whose generation reports do not read yet. A rebuild that began later, because a service's
  /// database was restored, takes this one's place; its end is as good.
  private func state(
    of begun: [FollowedService: Int64]
  ) async throws -> (events: Int64, waitsFor: FollowedService?) {
    let repository = ProgressRepository(database: database)
    var events: Int64 = 0
    var waitsFor: FollowedService?
    for (service, generation) in begun {
      let progress = try await repository.progress(of: service)
      let isDone = progress.current.number >= generation
      events += isDone ? progress.current.applied : progress.building?.applied ?? 0
      if !isDone { waitsFor = service }
    }
    return (events, waitsFor)
  }

  private func abandonment(_ begun: [FollowedService: Int64]) -> [Statement] {
    begun.map { ProgressRepository(database: database).abandonment(of: $0.key, generation: $0.value) }
  }

  private func generations(_ checkpoint: [UInt8]) -> [FollowedService: Int64] {
    var begun: [FollowedService: Int64] = [:]
    for part in String(decoding: checkpoint, as: UTF8.self).split(separator: " ") {
      let words = part.split(separator: "=")
      guard words.count == 2, let service = FollowedService(rawValue: String(words[0])) else { continue }
      begun[service] = Int64(words[1])
    }
    return begun
  }
}

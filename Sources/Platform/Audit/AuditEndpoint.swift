import API
import AuditProof
import Core
import RPCCore
import Storage
import UseCases

/// mainstay.platform.v1.AuditService over a service's audit log and what it has witnessed.
public struct AuditEndpoint: AuditServiceHandler {
  private let log: AuditLog
  private let witness: Witness
  private var proofs: ProofSource { ProofSource(database: log.database) }

  /// Serves a log.
  public init(log: AuditLog, witness: Witness) {
    self.log = log
    self.witness = witness
  }

  /// GetCheckpoint.
  public func getCheckpoint(
    _ request: GetCheckpointRequest, _ context: ServerContext
  ) async throws -> GetCheckpointResponse {
    GetCheckpointResponse(note: try await newest().note, waiting: try await log.waitingLeaves())
  }

  /// GetInclusionProof.
  public func getInclusionProof(
    _ request: GetInclusionProofRequest, _ context: ServerContext
  ) async throws -> GetInclusionProofResponse {
    let (size, note) = try await tree(request.treeSize, "tree_size")
    guard request.position >= 0, request.position < size else {
      throw RPCError(.outOfRange, "the tree of \(size) entries has no position \(request.position)")
    }
    guard let leaf = try await EntryQueries(database: log.database).leaf(at: request.position) else {
      throw RPCError.damaged("entry of the audit log")
    }
    let proof = try await proofs.inclusion(position: request.position, size: size)
    return GetInclusionProofResponse(entry: AuditEntry(leaf), hashes: proof.map(\.array), treeSize: size, note: note)
  }

  /// GetConsistencyProof.
  public func getConsistencyProof(
    _ request: GetConsistencyProofRequest, _ context: ServerContext
  ) async throws -> GetConsistencyProofResponse {
    let (size, note) = try await tree(request.secondSize, "second_size")
    guard request.firstSize >= 1 else { throw RPCError.invalid("first_size", "must be at least 1") }
    guard request.firstSize <= size else {
      throw RPCError(.outOfRange, "the tree of \(size) entries cannot begin with one of \(request.firstSize)")
    }
    let proof = try await proofs.consistency(first: request.firstSize, second: size)
    return GetConsistencyProofResponse(hashes: proof.map(\.array), secondSize: size, note: note)
  }

  /// ListAuditEntries.
  public func listAuditEntries(
    _ request: ListAuditEntriesRequest, _ context: ServerContext
  ) async throws -> ListAuditEntriesResponse {
    var faults = ViolationList()
    let filter = EntryFilter(
      aggregateID: request.aggregateID, actor: request.actor,
      start: Timestamp.read(request.startTime, "start_time", faults: &faults),
      end: Timestamp.read(request.endTime, "end_time", faults: &faults), firstPosition: max(0, request.firstPosition))
    try faults.throwIfAny()
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000, query: filter.query)
    let leaves = try await EntryQueries(database: log.database).leaves(
      filter, after: try AuditEndpoint.place(page), limit: page.size + 1)
    let cut = page.cut(leaves) { 512 + ($0.leaf.body?.count ?? 0) * 2 }
    let token = cut.items.last.map { page.token(after: [.integer($0.time), .integer($0.leaf.position)]) }
    return ListAuditEntriesResponse(
      entries: cut.items.map { AuditEntry($0.leaf) }, nextPageToken: cut.hasMore ? token ?? "" : "")
  }

  /// RecordCheckpoint.
  public func recordCheckpoint(
    _ request: RecordCheckpointRequest, _ context: ServerContext
  ) async throws -> RecordCheckpointResponse {
    let hashes = request.hashes.compactMap { MerkleHash($0) }
    guard hashes.count == request.hashes.count, hashes.count <= ProofCheck.maximumHashes else {
      throw RPCError.invalid("hashes", "must be at most \(ProofCheck.maximumHashes) hashes of 32 bytes")
    }
    switch try await witness.record(note: request.note, provenSize: request.provenSize, proof: hashes) {
    case .recorded(let size): return RecordCheckpointResponse(recorded: true, witnessedSize: size)
    case .unproven(let size): return RecordCheckpointResponse(recorded: false, witnessedSize: size)
    }
  }

  /// ListWitnessedCheckpoints.
  public func listWitnessedCheckpoints(
    _ request: ListWitnessedCheckpointsRequest, _ context: ServerContext
  ) async throws -> ListWitnessedCheckpointsResponse {
    let page = try PageRequest(
      size: request.pageSize, token: request.pageToken, standard: 100, maximum: 1_000,
      query: ["witnessed checkpoints", request.logName])
    let seen = try await witness.list(logName: request.logName, after: try WitnessPlace(page), limit: page.size + 1)
    let cut = page.cut(seen) { $0.note.utf8.count + 128 }
    let messages = cut.items.map {
      WitnessedCheckpoint(note: $0.note, receivedTime: GoogleTimestamp($0.receivedTime), refusal: $0.refusal)
    }
    return ListWitnessedCheckpointsResponse(
      checkpoints: messages,
      nextPageToken: cut.hasMore ? cut.items.last.map { page.token(after: $0.place.fields) } ?? "" : "")
  }

  private func newest() async throws -> (note: String, size: Int64) {
    guard let note = try await log.newestNote() else {
      throw RPCError(
        .notFound, "there is no checkpoint yet; without audit.key in its configuration the service signs none")
    }
    return (note, try Checkpoint(unverified: note).size)
  }

  /// The tree that a request names, or that of the newest checkpoint.
  private func tree(_ size: Int64, _ field: String) async throws -> (size: Int64, note: String) {
    if size == 0 {
      let newest = try await newest()
      return (newest.size, newest.note)
    }
    guard size > 0 else { throw RPCError.invalid(field, "must not be negative") }
    guard let state = try await log.state(), size <= state.frontier.size else {
      throw RPCError(.outOfRange, "the tree has no \(size) entries yet")
    }
    return (size, "")
  }

  private static func place(_ page: PageRequest) throws -> (time: Int64, position: Int64)? {
    guard let place = page.place else { return nil }
    guard place.count == 2, case .integer(let time) = place[0], case .integer(let position) = place[1] else {
      throw page.malformed
    }
    return (time, position)
  }
}

extension AuditFailure: RPCErrorConvertible {
  /// DATA_LOSS: what is stored of the log does not fit together.
  public var rpcError: RPCError {
    RPCError(.dataLoss, "the audit log cannot be read; the service's log has the cause", cause: self)
  }
}

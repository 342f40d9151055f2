import API
import AuditProof
import Core
import RPCCore

/// Compares a running service's log with what others have kept of it.
struct LogComparison {
  /// Most older checkpoints of one source that are proven to be beginnings of today's log: the newest, and others spread evenly.
  static let maximumProofs = 32
  /// Entries that are read at once.
  static let pageEntries: Int32 = 1_000

  /// What one check has found.
  struct Finding: Sendable {
    let check: String
    let holds: Bool
    let detail: String
  }

  let service: ServiceDefinition
  let session: Session
  let keys: [LogKey]

  private var client: AuditServiceClient { AuditServiceClient(channel: session.channel) }

  /// All checks, in order. A call that fails is a check that does not hold.
  func run(exported: [String], readsEntries: Bool) async -> [Finding] {
    // What others have kept is read first: today's log is at least as large.
    var findings: [Finding] = []
    var older: [(source: String, notes: [String])] = [("checkpoint file", exported)]
    for other in ServiceDefinition.audited where other.name != service.name {
      do {
        let seen = try await witnessed(by: other)
        if !seen.isEmpty { older.append(("witness \(other.name)", seen.filter(\.refusal.isEmpty).map(\.note))) }
        for fork in seen where !fork.refusal.isEmpty {
          findings.append(
            Finding(check: "witness \(other.name)", holds: false, detail: "a fork was refused: \(fork.refusal)"))
        }
      } catch {
        findings.append(failed("witness \(other.name)", error))
      }
    }
    do {
      let today = try await newest()
      findings.append(
        Finding(check: "checkpoint", holds: true, detail: "\(today.size) entries, signed at \(today.time.iso8601)"))
      for (source, notes) in older where !notes.isEmpty { findings.append(await compare(notes, source, today)) }
      if !older.contains(where: { $0.source.hasPrefix("witness") && !$0.notes.isEmpty }) {
        findings.append(
          Finding(check: "witness", holds: false, detail: "no other service has a checkpoint of this log"))
      }
      if readsEntries { findings.append(try await recompute(today)) }
    } catch {
      findings.append(failed("log", error))
    }
    return findings
  }

  private func failed(_ check: String, _ error: any Error) -> Finding {
    let text = (error as? CommandFailure)?.message ?? "\(RPCError(converting: error))"
    return Finding(check: check, holds: false, detail: text)
  }

  private func newest() async throws -> Checkpoint {
    let reply = try await client.getCheckpoint(
      GetCheckpointRequest(), options: session.unaryOptions(service.asTarget))
    do { return try Checkpoint(note: reply.note, keys: keys) } catch {
      throw CommandFailure("the newest checkpoint does not hold: \(error)")
    }
  }

  /// What another service has witnessed of this log.
  private func witnessed(by other: ServiceDefinition) async throws -> [WitnessedCheckpoint] {
    var (seen, request) = ([WitnessedCheckpoint](), ListWitnessedCheckpointsRequest(pageSize: 1_000))
    request.logName = "mainstay/\(service.name)"
    repeat {
      let reply = try await client.listWitnessedCheckpoints(request, options: session.unaryOptions(other.asTarget))
      seen += reply.checkpoints
      request.pageToken = reply.nextPageToken
    } while !request.pageToken.isEmpty
    return seen
  }

  /// Proves that today's log begins with what checkpoints of one source have signed.
  private func compare(_ notes: [String], _ source: String, _ today: Checkpoint) async -> Finding {
    func finding(_ holds: Bool, _ detail: String) -> Finding { Finding(check: source, holds: holds, detail: detail) }
    var checkpoints: [Checkpoint] = []
    for note in notes {
      do { checkpoints.append(try Checkpoint(note: note, keys: keys)) } catch {
        return finding(false, "one of its checkpoints does not hold: \(error)")
      }
    }
    // Those of an earlier life of the database are for the offline verification, which sees what was put back.
    let earlier = checkpoints.filter { $0.epoch != today.epoch }.count
    let own = checkpoints.filter { $0.epoch == today.epoch }.sorted { $0.size < $1.size }
    if let larger = own.last, larger.size > today.size {
      return finding(
        false,
        "the log has \(today.size) entries, but had \(larger.size) at \(larger.time.iso8601): its tail was removed")
    }
    let step = max(1, own.count / LogComparison.maximumProofs)
    for checkpoint in stride(from: own.count - 1, through: 0, by: -step).map({ own[$0] }) where checkpoint.size > 0 {
      do {
        guard try await isBeginning(checkpoint, of: today) else {
          return finding(
            false,
            "FORK: today's log does not begin with the \(checkpoint.size) entries signed at \(checkpoint.time.iso8601)")
        }
      } catch {
        return failed(source, error)
      }
    }
    let rest = earlier > 0 ? "; \(earlier) of before a restore were not compared" : ""
    return finding(
      true, "\(own.count) checkpoints, up to \(own.last?.size ?? 0) entries, are beginnings of today's log\(rest)")
  }

  private func isBeginning(_ checkpoint: Checkpoint, of today: Checkpoint) async throws -> Bool {
    let reply = try await client.getConsistencyProof(
      GetConsistencyProofRequest(firstSize: checkpoint.size, secondSize: today.size),
      options: session.unaryOptions(service.asTarget))
    let proof = reply.hashes.compactMap { MerkleHash($0) }
    return proof.count == reply.hashes.count
      && ProofCheck.consistency(
        firstSize: checkpoint.size, firstRoot: checkpoint.root, secondSize: today.size, secondRoot: today.root,
        proof: proof)
  }

  /// Reads all entries of the signed tree and hashes them here.
  private func recompute(_ today: Checkpoint) async throws -> Finding {
    var (frontier, request) = (MerkleFrontier(), ListAuditEntriesRequest(pageSize: LogComparison.pageEntries))
    let hasher = MerkleHasher()
    var dropped = 0
    while frontier.size < today.size {
      let reply = try await client.listAuditEntries(request, options: session.unaryOptions(service.asTarget))
      for entry in reply.entries where frontier.size < today.size {
        guard entry.position == frontier.size else {
          return Finding(check: "entries", holds: false, detail: "entry \(frontier.size) is missing")
        }
        if entry.body.isEmpty { dropped += 1 }
        guard let hash = entry.body.isEmpty ? MerkleHash(entry.leafHash) : hasher.leaf(entry.body) else {
          return Finding(check: "entries", holds: false, detail: "entry \(entry.position) has no hash")
        }
        if !entry.body.isEmpty, hash.array != entry.leafHash {
          return Finding(
            check: "entries", holds: false, detail: "entry \(entry.position) and its stored hash do not belong together"
          )
        }
        frontier.append(hash, hasher)
      }
      request.pageToken = reply.nextPageToken
      if request.pageToken.isEmpty { break }
    }
    guard frontier.size == today.size, frontier.root(hasher) == today.root else {
      return Finding(
        check: "entries", holds: false,
        detail: "\(frontier.size) entries do not have the root that the checkpoint of \(today.size) signs")
    }
    let rest = dropped > 0 ? "; the contents of \(dropped) were dropped" : ""
    return Finding(check: "entries", holds: true, detail: "\(frontier.size) entries have the signed root\(rest)")
  }
}

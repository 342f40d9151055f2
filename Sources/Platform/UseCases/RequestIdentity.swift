import Core
import Protobuf
import RPCCore
import Storage

/// Makes a request that carries a request_id happen once: a repetition within seven days gets the first answer.
public struct RequestIdentity: Sendable {
  /// Most characters of a request_id.
  public static let maximumLength = 64

  private let caller: String
  private let method: String
  private let requestID: String
  private let requestHash: [UInt8]

  /// Nil without a request_id. `content` is the request as the service understood it, request_id left out.
  public init?(_ requestID: String, content: some Message, context: ServerContext) throws {
    guard !requestID.isEmpty else { return nil }
    var faults = ViolationList()
    faults.check(requestID, length: 1...RequestIdentity.maximumLength, "request_id")
    try faults.throwIfAny()
    caller = context.caller?.name ?? "unknown"
    method = context.method.path
    self.requestID = requestID
    requestHash = SHA256.hash(try content.serialized())
  }

  fileprivate func record(reply: some Message, time: Timestamp) throws -> IdempotencyRecord {
    IdempotencyRecord(
      caller: caller, method: method, requestID: requestID, requestHash: requestHash, reply: try reply.serialized(),
      createTime: time)
  }

  fileprivate func earlierReply(_ store: IdempotencyStore) async throws -> [UInt8]? {
    try await store.earlierReply(caller: caller, method: method, requestID: requestID, requestHash: requestHash)
  }
}

extension UseCaseEnvironment {
  /// Answers a write: what `attempt` decides, committed; for a repeated request, the answer to the first. `attempt` only reads, and is
  /// run again when another writer was faster.
  ///
  /// Nobody looks for an earlier answer before: nearly all requests are the first. The commit itself meets the row of a repetition, and
  /// where the attempt already fails, because what it is to do was done, the answer is looked up then.
  public func answer<Reply: Message>(
    _ identity: RequestIdentity?, _ attempt: () async throws -> (batch: Batch, reply: Reply)
  ) async throws -> Reply {
    let store = IdempotencyStore(database: database)
    do {
      return try await retryingConflicts {
        var (batch, reply) = try await attempt()
        batch.idempotency = try identity?.record(reply: reply, time: clock.now())
        if batch.statements.isEmpty, batch.idempotency == nil { return reply }
        switch try await store.commit(batch, lane: .interactive) {
        case .committed: return reply
        case .repeated(let earlier): return try Reply(serialized: earlier)
        }
      }
    } catch let failure {
      // An equal request, before or at the same time, may have been what the attempt ran into.
      if let earlier = try await identity?.earlierReply(store) { return try Reply(serialized: earlier) }
      throw failure
    }
  }
}

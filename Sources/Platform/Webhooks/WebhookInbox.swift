import API
import Core
import Protobuf
import RPCCore
import Storage
import Synchronization
import UseCases

/// Takes posts of systems outside, signed as standardwebhooks.com says, and applies each once by a use case of the service.
public final class WebhookInbox: Sendable {
  /// Most sources of a service.
  public static let maximumSources: Int64 = 64
  /// Largest body of a post, in bytes.
  public static let maximumBodyBytes = 262_144
  /// How far a post's timestamp may be from our clock, both ways.
  public static let toleranceSeconds: Int64 = 300
  /// Most signatures that are looked at in one post.
  static let maximumSignatures = 8
  /// How long the old secret counts beside the new one.
  static let oldSecretMicroseconds: Int64 = 24 * 3_600 * 1_000_000
  /// Most posts of a source that are kept because they could not be applied; then no more are taken until somebody sees to them.
  public static let maximumUnapplied: Int64 = 1_000
  /// Posts that a source may make in a second on the average, and at once.
  public static let postRate = (second: 50.0, burst: 200.0)
  /// The same in bytes.
  public static let byteRate = (second: 1_048_576.0, burst: 4_194_304.0)
  static let maximumErrorLength = 1_000

  /// What became of a post.
  enum Outcome: Sendable {
    /// It was applied, now or the first time that it came; the answer in JSON.
    case applied(String)
    /// It is kept, for this reason.
    case kept(String)
  }

  /// Counts since the process began.
  public struct Figures: Hashable, Sendable {
    /// Posts that were applied, repeated ones among them.
    public var applied = 0
    /// Posts that were kept.
    public var kept = 0
    /// Posts that were refused: unknown, unsigned, late or too many.
    public var refused = 0
  }

  private struct State {
    var budgets: [String: PostBudget] = [:]
    var figures = Figures()
  }

  let environment: Environment
  let key: WebhookKey?
  let kinds: [PostKind]
  private let state = Mutex(State())
  var database: any Database { environment.database }

  /// The inbox of a service in a database that has `Webhooks.migrations`. Without a key it takes nothing.
  public init(database: any Database, clock: any Clock, random: any RandomSource, key: WebhookKey?, kinds: [PostKind]) {
    environment = Environment(database: database, clock: clock, random: random)
    (self.key, self.kinds) = (key, kinds)
  }

  /// Counts since the process began.
  public var figures: Figures { state.withLock { $0.figures } }

  /// How many posts of all sources wait for somebody to see to them.
  public func unappliedPosts() async throws -> Int64 {
    try await database.row(Statement("SELECT count(*) FROM webhook_unapplied"), access: .scan)?.integer(0) ?? 0
  }

  /// Takes a post, or throws what its sender is answered.
  func receive(_ request: ReceiveWebhookRequest, _ context: ServerContext) async throws -> Outcome {
    do {
      let record = try await signer(of: request)
      let outcome = try await apply(record, id: request.webhookID, body: request.body, context)
      state.withLock { state in
        if case .applied = outcome { state.figures.applied += 1 } else { state.figures.kept += 1 }
      }
      return outcome
    } catch {
      state.withLock { $0.figures.refused += 1 }
      throw error
    }
  }

  /// The source that has signed a post. Whoever is not told that apart: no source, a wrong signature and an old one look the same.
  private func signer(of request: ReceiveWebhookRequest) async throws -> WebhookSourceRecord {
    let refusal = RPCError(
      .unauthenticated, "the post is not signed by a source that is known here, or its time is more than 5 minutes off")
    guard let key, !request.webhookID.isEmpty, request.webhookID.utf8.count <= RequestIdentity.maximumLength,
      request.webhookID.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), request.body.count <= Self.maximumBodyBytes,
      let seconds = Int64(request.timestamp), "\(seconds)" == request.timestamp
    else { throw refusal }
    let now = environment.clock.now()
    let (distance, overflow) = now.seconds.subtractingReportingOverflow(seconds)
    guard !overflow, distance.magnitude <= UInt64(Self.toleranceSeconds),
      let record = try await WebhookSourceRecord.find(request.sourceID, in: database),
      WebhookSignature.isSigned(
        request.signature, id: request.webhookID, timestamp: request.timestamp, body: request.body,
        secrets: record.secrets(key, at: now), most: Self.maximumSignatures)
    else { throw refusal }
    let isWithin = state.withLock { state in
      state.budgets[record.id, default: PostBudget()].take(
        bytes: request.body.count, at: environment.clock.monotonicNanoseconds())
    }
    guard isWithin else {
      throw RPCError(.resourceExhausted, "\(record.name) posts more than is taken in a second; wait, then go on")
    }
    return record
  }

  /// Applies a post whose source is known. What the rules refuse is kept for somebody to see to; other errors are thrown, for its
  /// sender to try again.
  private func apply(
    _ record: WebhookSourceRecord, id: String, body: [UInt8], _ context: ServerContext
  ) async throws -> Outcome {
    if let kept = try await UnappliedPostRecord.find(record.id, id, in: database) { return .kept(kept.error) }
    do { return .applied(try await answer(record, id: id, body: body, context)) } catch {
      guard let reason = Self.permanent(error) else { throw error }
      let count = try await database.row(
        Statement("SELECT count(*) FROM webhook_unapplied WHERE source_id = ?", [.text(record.id)]), access: .scan)
      guard try count?.integer(0) ?? 0 < Self.maximumUnapplied else {
        throw RPCError(
          .resourceExhausted, "\(Self.maximumUnapplied) posts of \(record.name) could not be applied; see to them first"
        )
      }
      try await database.commit(
        Batch([
          UnappliedPostRecord.insertion(
            source: record.id, id: id, body: body, error: reason, at: environment.clock.now())
        ]), lane: .interactive)
      return .kept(reason)
    }
  }

  /// The answer of the use case in JSON; a post that came before gets its first one.
  func answer(
    _ record: WebhookSourceRecord, id: String, body: [UInt8], _ context: ServerContext
  ) async throws -> String {
    guard let kind = kinds.first(where: { $0.name == record.kind }) else {
      throw RPCError(.failedPrecondition, "this service takes no posts of the kind \(record.kind) any more")
    }
    let transcoder = JSONTranscoder(try APIDescriptors.pool.get())
    let message: [UInt8]
    do { message = try transcoder.encode(json: body, as: kind.messageName) } catch {
      throw RPCError(.invalidArgument, "the body is no JSON of \(kind.messageName): \(error)")
    }
    // What the use case knows: who, and through whom. By the same method whenever it is applied: with the sender's id for it, that
    // is what makes it count once.
    let own = ServerContext(
      method: WebhookSourceServiceMethods.receiveWebhook, metadata: context.metadata, deadline: context.deadline,
      peer: context.peer)
    own.caller = Caller(name: record.id, roles: [], via: context.caller?.via ?? "")
    let reply = try await kind.apply(message, SignedPost(source: record.name, id: id), own)
    return try transcoder.decode(reply, as: kind.answerName, pretty: false)
  }

  /// Why a post will never be applied as things are; nil for what may pass.
  static func permanent(_ error: any Error) -> String? {
    let converted = RPCError(converting: error)
    switch converted.code {
    case .invalidArgument, .notFound, .alreadyExists, .failedPrecondition, .outOfRange, .permissionDenied:
      return String("\(converted.code): \(converted.message)".prefix(maximumErrorLength))
    default: return nil
    }
  }
}

/// What a source may still post: so much at once, and so much each second.
struct PostBudget: Sendable {
  private var posts = WebhookInbox.postRate.burst
  private var bytes = WebhookInbox.byteRate.burst
  private var last: UInt64?

  /// Takes a post of so many bytes; false if it is too much now.
  mutating func take(bytes count: Int, at nanoseconds: UInt64) -> Bool {
    let seconds = last.map { Double(nanoseconds > $0 ? nanoseconds - $0 : 0) / 1e9 } ?? 0
    last = nanoseconds
    posts = min(WebhookInbox.postRate.burst, posts + seconds * WebhookInbox.postRate.second)
    bytes = min(WebhookInbox.byteRate.burst, bytes + seconds * WebhookInbox.byteRate.second)
    guard posts >= 1, bytes >= Double(count) else { return false }
    posts -= 1
    bytes -= Double(count)
    return true
  }
}

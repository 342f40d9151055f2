import Core
import Logging
import RPCCore
import RPCTransport
import Testing

/// Methods that fail their first attempts, then answer with what the caller says of the attempts before.
private struct Flaky {
  static let idempotent = method("Idempotent", .idempotent)
  static let reading = method("Reading", .noSideEffects)
  static let careful = method("Careful", .unknown)

  private static func method(_ name: String, _ level: Idempotency) -> MethodDescriptor {
    MethodDescriptor(service: "test.Flaky", name: name, kind: .unary, idempotency: level)
  }

  var failures = 0
  var error = RPCError(.unavailable, "not now")
  let attempts = Tally()

  var router: Router {
    let (failures, error, attempts) = (failures, error, attempts)
    return Router(
      [Flaky.idempotent, Flaky.reading, Flaky.careful].map { method in
        MethodBinding(method) { call in
          let request = try call.receiveOnly()
          attempts.add("attempt")
          if attempts.total <= failures { throw error }
          let before = call.context.metadata.first("grpc-previous-rpc-attempts") ?? "none"
          try await call.send(framed: framed("\(text(request)) after \(before)"))
        }
      })
  }
}

private func failing(_ code: StatusCode, pushback: String) -> RPCError {
  var error = RPCError(code, "not now")
  error.metadata.add("grpc-retry-pushback-ms", pushback)
  return error
}

/// One call to a server with these methods: its reply or its code, and the attempts that the server saw.
private func outcome(
  _ flaky: Flaky, _ method: MethodDescriptor, policy: RetryPolicy? = quick, calls: Int = 1
) async throws -> (last: String, attempts: Int) {
  let loops = try EventLoopGroup(count: 1)
  let identities = try TestIdentities()
  let server = try await Server(
    .init(host: "127.0.0.1", port: 0, tls: identities.server()),
    acceptor: GRPCAcceptor(router: flaky.router, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
    group: loops)
  let context = try TLSContext(identities.client(), role: .client)
  let loop = loops.first
  let last = try await loop.run {
    let pool = ConnectionPool([ConnectionTarget(host: "127.0.0.1", port: server.port)], loop: loop, context: context)
    let channel = ClientChannel(pool, loop: loop, retrying: policy)
    defer { channel.close() }
    var last = ""
    for _ in 0..<calls {
      do {
        last = text(
          try await channel.unary(method, framed: framed("word"), CallOptions(timeout: .seconds(200))).message)
      } catch { last = "\(RPCError(converting: error).code)" }
    }
    return last
  }
  await server.shutdown(grace: .zero)
  loops.stop()
  return (last, flaky.attempts.total)
}

private let quick: RetryPolicy = {
  var policy = RetryPolicy()
  policy.firstBackoff = .milliseconds(1)
  return policy
}()

@Suite(.timeLimit(.minutes(5))) struct RetryTests {
  @Test(arguments: [Flaky.idempotent, Flaky.reading])
  func `A call that may be sent twice is, and says how often it was`(method: MethodDescriptor) async throws {
    let (last, attempts) = try await outcome(Flaky(failures: 3), method)
    #expect(last == "word after 3")
    #expect(attempts == 4)
  }

  @Test func `There are no more attempts than the policy has`() async throws {
    let (last, attempts) = try await outcome(Flaky(failures: 4), Flaky.idempotent)
    #expect(last == "UNAVAILABLE")
    #expect(attempts == 4)
  }

  @Test func `A call that may not be sent twice is not`() async throws {
    let (last, attempts) = try await outcome(Flaky(failures: 1), Flaky.careful)
    #expect(last == "UNAVAILABLE")
    #expect(attempts == 1)
  }

  @Test func `Nothing is retried without a policy`() async throws {
    #expect(try await outcome(Flaky(failures: 1), Flaky.idempotent, policy: nil).attempts == 1)
  }

  @Test func `A status that says no is an answer`() async throws {
    let flaky = Flaky(failures: 1, error: RPCError(.failedPrecondition, "never"))
    let (last, attempts) = try await outcome(flaky, Flaky.idempotent)
    #expect(last == "FAILED_PRECONDITION")
    #expect(attempts == 1)
  }

  @Test(arguments: [("0", "word after 1", 2), ("-1", "UNAVAILABLE", 1), ("soon", "UNAVAILABLE", 1)])
  func `A server says when it may be asked again, and whether`(
    pushback: String, expected: String, attempts: Int
  ) async throws {
    let flaky = Flaky(failures: 1, error: failing(.unavailable, pushback: pushback))
    let outcome = try await outcome(flaky, Flaky.idempotent)
    #expect(outcome.last == expected)
    #expect(outcome.attempts == attempts)
  }

  @Test func `A service that only fails is not pressed`() async throws {
    var policy = quick
    policy.tokens = 10
    // Four attempts of the first call, two of the second: then half of the tokens are gone, and each call has one attempt.
    let (last, attempts) = try await outcome(Flaky(failures: .max), Flaky.idempotent, policy: policy, calls: 12)
    #expect(last == "UNAVAILABLE")
    #expect(attempts == 4 + 1 + 10)
  }
}

/// gRFC A6's throttle, and the budget of broken connections, in numbers.
@Suite struct RetryBudgetTests {
  private struct Middle: RandomSource { func next() -> UInt64 { 1 << 63 } }

  private func budget(_ change: (inout RetryPolicy) -> Void = { _ in }) -> RetryBudget {
    var policy = RetryPolicy()
    change(&policy)
    return RetryBudget(policy)
  }

  @Test func `The time before an attempt doubles, up to the most`() {
    let budget = budget {
      $0.maximumAttempts = 9
      $0.firstBackoff = .milliseconds(100)
      $0.maximumBackoff = .milliseconds(300)
    }
    let times = (1...4).map { budget.next(after: .lost, attempts: $0, Middle()) }
    // Half of the most, for the source always gives the middle.
    #expect(times == [50_000_000, 100_000_000, 150_000_000, 150_000_000])
  }

  @Test func `Attempts after half of the tokens have gone are the last, until calls succeed`() {
    let budget = budget { $0.tokens = 4 }
    let failure = RetryBudget.Failure.status(.unavailable, pushback: nil)
    #expect(budget.next(after: failure, attempts: 1, Middle()) != nil)
    #expect(budget.next(after: failure, attempts: 1, Middle()) == nil)
    for _ in 0..<9 { budget.succeeded() }
    #expect(budget.next(after: failure, attempts: 1, Middle()) == nil)
    for _ in 0..<12 { budget.succeeded() }
    #expect(budget.next(after: failure, attempts: 1, Middle()) != nil)
  }

  @Test func `Broken connections have a budget of their own, which calls that succeed fill`() {
    let budget = budget {
      $0.lostAttempts = 2
      $0.tokens = 2
    }
    // No token is left.
    for _ in 0..<3 { _ = budget.next(after: .status(.unavailable, pushback: nil), attempts: 1, Middle()) }
    #expect((0..<3).map { _ in budget.next(after: .lost, attempts: 1, Middle()) != nil } == [true, true, false])
    budget.succeeded()
    #expect(budget.next(after: .lost, attempts: 1, Middle()) != nil)
  }
}

import Core
import Logging
import RPCCore
import RPCInProcess
import RPCTransport
import Testing

/// How a test's client reaches its server. Each test of calls runs over both.
enum Wire: CaseIterable, Sendable {
  case inProcess
  case sockets
}

/// A client and a server that are joined, with the probe behind it.
struct Bench: Sendable {
  let probe: Probe
  let channel: ClientChannel
  let clientLoop: EventLoop
  let serverLoops: EventLoopGroup
  /// Cuts the connection under the calls.
  let cut: @Sendable () async -> Void
  /// Stops the server when its calls have ended.
  let shutdown: @Sendable () async -> Void

  /// One request, one reply, as text.
  func call(_ method: MethodDescriptor, _ request: String, _ options: CallOptions = .init()) async throws -> String {
    text(try await channel.unary(method, framed: framed(request), options).message)
  }
}

/// Starts a server on this wire and runs the test on its client's loop.
@discardableResult
func withBench<Value: Sendable>(
  _ wire: Wire, limits: HTTP2Limits = .init(), callLimits: CallLimits = .init(),
  _ body: nonisolated(nonsending) @Sendable (Bench) async throws -> Value
) async throws -> Value {
  let result: Value
  let serverLoops = try EventLoopGroup(count: 1)
  let probe = Probe(loops: serverLoops)
  let acceptor = GRPCAcceptor(router: probe.router, limits: callLimits, logger: Logger(label: "test"))
  switch wire {
  case .inProcess:
    let endpoint = InProcessEndpoint(
      acceptor, loop: serverLoops.first,
      peer: Peer(address: "in-process", certificate: .init(commonName: "ours-client", organizationalUnit: "tester")),
      limits: limits)
    let bench = Bench(
      probe: probe, channel: endpoint.channel(limits: callLimits), clientLoop: serverLoops.first,
      serverLoops: serverLoops, cut: { endpoint.cut("the connection was cut by the test") },
      shutdown: { endpoint.stop() })
    result = try await run(bench, body)
    try await serverLoops.first.run { endpoint.stop() }
  case .sockets:
    let clientLoop = try EventLoop()
    let identities = try TestIdentities()
    let server = try await Server(
      .init(host: "127.0.0.1", port: 0, tls: identities.server(), limits: limits), acceptor: acceptor,
      group: serverLoops)
    let context = try TLSContext(identities.client(), role: .client)
    var configuration = ConnectionPool.Configuration()
    configuration.limits = limits
    let pool = ConnectionPool(
      [ConnectionTarget(host: "127.0.0.1", port: server.port)], loop: clientLoop, context: context,
      configuration: configuration)
    let bench = Bench(
      probe: probe, channel: ClientChannel(pool, loop: clientLoop, limits: callLimits), clientLoop: clientLoop,
      serverLoops: serverLoops, cut: { await server.shutdown(grace: .zero) },
      shutdown: { await server.shutdown(grace: .seconds(60)) })
    result = try await run(bench, body)
    try await clientLoop.run { pool.close() }
    await server.shutdown(grace: .zero)
    clientLoop.stop()
  }
  serverLoops.stop()
  return result
}

private func run<Value: Sendable>(
  _ bench: Bench, _ body: nonisolated(nonsending) @Sendable (Bench) async throws -> Value
) async throws -> Value {
  try await withTaskExecutorPreference(bench.clientLoop) { try await onLoop(bench, body) }
}

@concurrent private func onLoop<Value: Sendable>(
  _ bench: Bench, _ body: nonisolated(nonsending) @Sendable (Bench) async throws -> Value
) async throws -> Value {
  #expect(bench.clientLoop.isCurrent)
  return try await body(bench)
}

/// Hands a value of one loop to closures that run there.
struct OnLoop<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) { self.value = value }
}

/// The status that a call fails with; nil if it does not fail.
func status(_ body: nonisolated(nonsending) () async throws -> Void) async -> RPCError? {
  do {
    try await body()
    return nil
  } catch {
    return RPCError(converting: error)
  }
}

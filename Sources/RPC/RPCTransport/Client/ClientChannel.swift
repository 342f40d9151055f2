import Core
import RPCCore

/// Makes gRPC calls over a connection source. Use it from tasks of its event loop.
///
/// Unchecked Sendable: it may be handed between tasks, and `open` checks in debug builds that they run on the loop.
public final class ClientChannel: Channel, @unchecked Sendable {
  /// Connections that a call tries which close before it has begun: few, or as good as all for one that waits for a ready one.
  static let maximumConnectionsTried = 5
  static let maximumConnectionsAwaited = 1_000

  let identifier = nextChannelIdentifier()
  /// Figures of its calls.
  let metrics = CallMetrics()
  private let source: any ConnectionSource
  private let loop: EventLoop
  private let limits: CallLimits
  /// What may be made again; nil if nothing is.
  let retries: RetryBudget?

  /// A channel over a source that belongs to this loop; nothing is retried without a policy.
  public init(
    _ source: any ConnectionSource, loop: EventLoop, limits: CallLimits = .init(),
    retrying policy: RetryPolicy? = RetryPolicy()
  ) {
    self.source = source
    retries = policy.map(RetryBudget.init)
    self.loop = loop
    self.limits = limits
    loop.directory.add(self)
  }

  deinit { loop.directory.removeChannel(identifier) }

  /// HOST:PORT of what it calls.
  var authority: String { source.authority }

  /// A channel to HOST:PORT over TLS. `maximumBackoff` is the longest time between two attempts to connect; 5 seconds if nil.
  public convenience init(
    host: String, port: Int, tls context: any TLSContextSource, loop: EventLoop, serverName: String? = nil,
    maximumBackoff: Duration? = nil
  ) {
    var configuration = ConnectionPool.Configuration()
    if let maximumBackoff { configuration.maximumBackoff = maximumBackoff }
    let target = ConnectionTarget(host: host, port: port, serverName: serverName)
    self.init(ConnectionPool([target], loop: loop, context: context, configuration: configuration), loop: loop)
  }

  /// Begins a call.
  public func open(_ method: MethodDescriptor, _ options: CallOptions) async throws(RPCError) -> ClientCall {
    guard let retries, let hedging = retries.policy.hedging, method.kind == .unary, method.idempotency == .noSideEffects
    else { return try await open(method, options, after: nil) }
    retries.beganHedged()
    let first = try await open(method, options, after: 0)
    return HedgedCall.call(first, options, channel: self, loop: loop, budget: retries, policy: hedging)
  }

  /// Begins a call, or one of several attempts at it that run side by side, after so many others.
  func open(
    _ method: MethodDescriptor, _ options: CallOptions, after earlier: Int?
  ) async throws(RPCError) -> ClientCall {
    loop.assertOnLoop()
    if Task.isCancelled { throw RPCError(.cancelled, "the call was cancelled before it began") }
    let stream = GRPCClientStream(
      method, options, channel: self, loop: loop, limits: limits, metrics: metrics, after: earlier)
    if let current = source.current { return try stream.begin(on: current, authority: source.authority) }
    return try stream.begin(on: try await connection(options), authority: source.authority)
  }

  /// A connection that takes a call.
  private func connection(_ options: CallOptions) async throws(RPCError) -> HTTP2Connection {
    // A call that waited may find that the connection takes no more: nothing was sent, so it may take the next one.
    let tries =
      options.waitForReady ? ClientChannel.maximumConnectionsAwaited : ClientChannel.maximumConnectionsTried
    for _ in 1..<tries {
      if let current = source.current { return current }
      // The deadline runs while the call waits for a connection too.
      let connection = try await connect(options)
      if !connection.isClosing { return connection }
    }
    return try await connect(options)
  }

  /// Begins a call once more, on whatever connection takes it.
  func makeAgain(_ stream: GRPCClientStream, _ options: CallOptions) {
    let bound = LoopBound((channel: self, stream: stream), on: loop)
    stream.repeating = loop.spawn {
      let (channel, stream) = bound.value
      do throws(RPCError) {
        let connection = try await channel.connection(options)
        try stream.beginAgain(on: connection, authority: channel.source.authority)
      } catch {
        stream.foundNoConnection(error)
      }
    }
  }

  /// Closes the connection when its calls have ended; the next call makes another one.
  public func close() {
    loop.assertOnLoop()
    source.close()
  }

  private func connect(_ options: CallOptions) async throws(RPCError) -> HTTP2Connection {
    guard let deadline = options.deadline else { return try await source.connect(waitForReady: options.waitForReady) }
    let waiter = ConnectionWaiter(waitsForReady: options.waitForReady)
    let now = loop.clock.monotonicNanoseconds()
    let timer = loop.schedule(afterNanoseconds: deadline.remainingNanoseconds(at: now)) {
      waiter.resume(.failure(RPCError(.deadlineExceeded, "the deadline passed while waiting for a connection")))
    }
    let bound = LoopBound((source: source, waiter: waiter), on: loop)
    let connecting = loop.spawn {
      let (source, waiter) = bound.value
      do throws(RPCError) {
        waiter.resume(.success(try await source.connect(waitForReady: waiter.waitsForReady)))
      } catch {
        waiter.resume(.failure(error))
      }
    }
    defer {
      loop.cancel(timer)
      connecting.cancel()
    }
    return try await waiter.connection(on: loop)
  }
}

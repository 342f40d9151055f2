import Core
import Logging
import RPCCore

/// The connections to one service: finds its addresses, connects by the rules of `SubchannelMachine`, and gives each call a
/// connection. Confined to its loop.
///
/// Whatever happens leads to `advance`, which looks at all that is so and does all that is due. Nothing is remembered about
/// what is still to be done, so nothing that is due can be forgotten.
///
/// Unchecked Sendable so that tasks of its loop may hold it; `connect` checks in debug builds that they run there.
public final class ConnectionPool: ConnectionSource, @unchecked Sendable {
  /// How a pool behaves.
  public struct Configuration: Sendable {
    /// What figures call the service; "" if they need not tell of its replicas.
    public var name = ""
    /// How calls are shared out among addresses.
    public var policy = LoadBalancing.pickFirst
    /// Limits of each connection.
    public var limits = HTTP2Limits()
    /// Bytes that its connections may hold, together with whatever else has this budget.
    public var budget = ByteBudget.process
    /// How long each connection may live, be silent or make us wait.
    public var connectionLimits = ConnectionLimits.client
    /// Longest time between two attempts at one address, jitter apart.
    public var maximumBackoff = Duration.seconds(5)
    /// How long TCP, TLS and the wait for the server's first bytes may take together.
    public var connectTimeout = Duration.seconds(5)
    /// How long calls wait for a service after it was lost, even if they do not wait for ever: it may be about to restart. One that
    /// has been away for longer fails them at once.
    public var patience = Duration.zero
    /// How long a further connection to an address may be without a call before it is closed; one stays.
    public var extraIdleTime = Duration.seconds(60)
    /// Least time between two questions for the addresses of one name.
    public var resolutionInterval = Duration.seconds(1)
    /// How long the addresses of a name are taken for right while connections to them stand; nil means for ever. They are asked for
    /// sooner when one is lost.
    public var resolutionAge: Duration? = .seconds(30)
    /// How the addresses of a name are found.
    var resolve: @Sendable (String, Int, @escaping @Sendable ([SocketAddress]) -> Void) -> Void = {
      NameResolver.shared.resolve(host: $0, port: $1, reply: $2)
    }
    /// The service whose health each replica is asked for (grpc.health.v1), "" for the replica as a whole; nil if none is asked.
    /// One that says that it does not serve gets no new calls; one that knows no such question gets them.
    public var healthService: String?
    /// When a replica is left out because calls to it fail; nil means never.
    public var outliers: OutlierPolicy?
    /// Told when the service is lost and when it is back.
    public var logger: Logger?

    /// The defaults.
    public init() {}
  }

  /// Calls that may wait for a connection; more fail with RESOURCE_EXHAUSTED.
  public static let maximumWaiting = 10_000
  /// Addresses of all targets together; more are left out.
  public static let maximumAddresses = 64
  /// Connections to one address, made when the peer's limit of streams is reached on those that stand. Beyond it calls wait
  /// for a stream.
  public static let maximumConnectionsPerAddress = 4
  /// How long no further connection is tried after one of them failed.
  private static let extraPauseNanoseconds: UInt64 = 1_000_000_000

  /// Unique within the process.
  let identifier = nextChannelIdentifier()
  /// ":authority" of the calls: that of the first target.
  public private(set) var authority: String
  /// Figures of the attempts at calls that whoever uses the pool without a channel makes on its connections.
  public let attempts = CallMetrics()
  private let loop: EventLoop
  private let certificates: any TLSContextSource
  private var configuration: Configuration
  private var addresses: AddressBook
  private var subchannels: [Subchannel] = []
  /// Those that take calls, in order, further ones to the same addresses behind the others; as `advance` saw them.
  private var ready: [Subchannel] = []
  /// How many of them are no further ones.
  private var readyFirst = 0
  private var picker: Picker
  private var waiting: [ConnectionWaiter] = []
  /// Attempts that have failed.
  private var failures = 0
  private var lastError: RPCError?
  private var resolutionTimer: LoopTimer?
  private var resolutionDue: UInt64 = 0
  private var detector: OutlierDetector?
  private var outlierTimer: LoopTimer?
  /// When further connections are looked at.
  private var extrasTimer: LoopTimer?
  /// Whether calls were made since the last `close`.
  private var isWanted = false
  /// When a connection was last there; nil before the first.
  private var lastReady: UInt64?
  private var extrasNotBefore: UInt64 = 0
  private var isAdvancing = false
  private var mustAdvanceAgain = false
  private var wasLost = false
  /// Of subchannels that are gone.
  private var past = ConnectionStatistics()

  /// A pool for servers of which each can answer every call. Nothing is connected before the first call. Each connection begins
  /// with what `context` says then.
  public init(
    _ targets: [ConnectionTarget], loop: EventLoop, context: any TLSContextSource,
    configuration: Configuration = .init()
  ) {
    self.loop = loop
    certificates = context
    self.configuration = configuration
    authority = targets.first?.authority ?? ""
    picker = Picker(configuration.policy)
    addresses = AddressBook(
      targets, interval: configuration.resolutionInterval, refresh: configuration.resolutionAge)
    loop.directory.add(self)
  }

  deinit {
    loop.directory.removePool(identifier)
    let bound = LoopBound((subchannels, [resolutionTimer, extrasTimer, outlierTimer]), on: loop)
    let loop = loop
    loop.execute {
      for subchannel in bound.value.0 { subchannel.shutDown() }
      for timer in bound.value.1.compactMap(\.self) { loop.cancel(timer) }
    }
  }

  // MARK: for calls

  /// A connection that takes a call at once; nil if there is none.
  public var current: HTTP2Connection? { pick { $0.activeStreams < $0.peerConcurrentStreams } }

  /// A connection, made if there is none.
  public func connect(waitForReady: Bool) async throws(RPCError) -> HTTP2Connection {
    loop.assertOnLoop()
    if let current { return current }
    if waiting.count >= ConnectionPool.maximumWaiting { waiting.removeAll { $0.isResumed } }
    guard waiting.count < ConnectionPool.maximumWaiting else {
      throw RPCError(.resourceExhausted, "too many calls wait for a connection to \(authority); try again later")
    }
    let waiter = ConnectionWaiter(waitsForReady: waitForReady, earlierFailures: failures)
    if let lastReady { waiter.patientUntil = lastReady &+ configuration.patience.wholeNanoseconds }
    waiting.append(waiter)
    // Whatever is under way ends in an event, and that in `advance`.
    if !isConnecting || !ready.isEmpty { advance() }
    return try await waiter.connection(on: loop)
  }

  /// Closes the connections when their calls have ended; the next call makes others.
  public func close() {
    isWanted = false
    for subchannel in subchannels { subchannel.disconnect() }
    advance()
  }

  /// Has these targets from now on. Connections to those that stay go on; those to others end when their calls have, and take no
  /// new ones. Of a configuration it takes over `resolutionAge`, `healthService` and `outliers`.
  public func replace(_ targets: [ConnectionTarget], _ next: Configuration) {
    loop.assertOnLoop()
    configuration.resolutionAge = next.resolutionAge
    addresses.refreshNanoseconds = next.resolutionAge?.wholeNanoseconds
    configuration.healthService = next.healthService
    for subchannel in subchannels { subchannel.askHealth(next.healthService) }
    if configuration.outliers != next.outliers {
      configuration.outliers = next.outliers
      detector = nil
      if let outlierTimer { loop.cancel(outlierTimer) }
      outlierTimer = nil
      for subchannel in subchannels { subchannel.replica.setEjected(false, at: loop.now) }
    }
    addresses.replace(targets)
    authority = targets.first?.authority ?? ""
    remove { !addresses.contains($0.target) }
    advance()
  }

  /// What the pool as a whole is doing.
  public var state: ConnectivityState {
    let states = Set(subchannels.map(\.machine.state))
    if subchannels.contains(where: { $0.machine.state == .ready && $0.isHealthy }) { return .ready }
    if isConnecting { return .connecting }
    return states.contains(.transientFailure) || states.contains(.ready) || subchannels.isEmpty && lastError != nil
      ? .transientFailure : .idle
  }

  private var isConnecting: Bool {
    subchannels.contains { $0.machine.state == .connecting || $0.awaitsHealth }
      || subchannels.isEmpty && addresses.isResolving
  }

  private func pick(_ hasRoom: (HTTP2Connection) -> Bool) -> HTTP2Connection? {
    func load(_ index: Int) -> Int? {
      guard let http2 = ready[index].http2, hasRoom(http2) else { return nil }
      return http2.activeStreams
    }
    // Further connections take only what the others have no room for, so that they fall idle when they are not needed.
    var index = picker.pick(of: readyFirst, load: load)
    if index == nil, ready.count > readyFirst { index = picker.pick(of: ready.count, load: load) }
    let picked = index.flatMap { ready[$0].http2 }
    picked?.statistics.lastStreamNanoseconds = loop.now
    return picked
  }

  /// How it is now.
  var facts: ChannelFacts {
    let own = subchannels.map(\.facts)
    return ChannelFacts(
      identifier: identifier, name: configuration.name, target: authority, state: state,
      statistics: own.reduce(into: past) { $0 += $1.statistics }, subchannels: own)
  }

  // MARK: what is due

  private func advance() {
    guard !isAdvancing else {
      mustAdvanceAgain = true
      return
    }
    isAdvancing = true
    defer { isAdvancing = false }
    // Ends, because each round but the last one has moved a subchannel on, and a failed one waits for its back-off.
    repeat {
      mustAdvanceAgain = false
      let now = loop.clock.monotonicNanoseconds()
      waiting.removeAll { $0.isResumed }
      if !waiting.isEmpty { isWanted = true }
      for subchannel in subchannels { subchannel.refresh() }
      resolve(now)
      dropExtras()
      if !ready.isEmpty { lastReady = now }
      watchOutliers()
      var connected = subchannels.filter { $0.http2 != nil && $0.isHealthy }
      // A doubtful replica is better than none.
      if connected.contains(where: { !$0.replica.isDoubtful }) { connected.removeAll { $0.replica.isDoubtful } }
      ready = connected.filter { !$0.isExtra } + connected.filter(\.isExtra)
      readyFirst = ready.count { !$0.isExtra }
      serve()
      connectMore(now)
      if !mustAdvanceAgain { giveUp(now) }
    } while mustAdvanceAgain
    tell()
  }

  /// Gives calls that wait the connections that have room for them.
  private func serve() {
    guard !ready.isEmpty else { return }
    // The calls open their streams after this, so what each connection was given is counted here.
    var given: [ObjectIdentifier: Int] = [:]
    while let waiter = waiting.first {
      let picked = pick {
        $0.activeStreams + given[ObjectIdentifier($0), default: 0] < $0.peerConcurrentStreams
      }
      guard let connection = picked ?? (mayAddConnection ? nil : pick { _ in true }) else { return }
      given[ObjectIdentifier(connection), default: 0] += 1
      waiting.removeFirst()
      waiter.resume(.success(connection))
    }
  }

  private func connectMore(_ now: UInt64) {
    guard isWanted else { return }
    if configuration.policy.connectsToAll {
      for subchannel in subchannels { subchannel.connect() }
    } else if ready.isEmpty, !waiting.isEmpty, !isConnecting {
      subchannels.first { $0.machine.mayConnect(at: now) }?.connect()
    }
    if !ready.isEmpty, !waiting.isEmpty { addConnection() }
  }

  /// Fails the calls that do not wait for ever when nothing is under way for them, or enough attempts have failed.
  private func giveUp(_ now: UInt64) {
    guard ready.isEmpty, !waiting.isEmpty else { return }
    let error =
      hasUnhealthy
      ? RPCError(.unavailable, "every replica of \(authority) that answers says that it does not serve")
      : lastError ?? RPCError(.unavailable, "no server is configured to connect to")
    let isHopeless = !isConnecting
    // Each address had its turn since the call came.
    let turns = max(1, subchannels.count)
    var kept: [ConnectionWaiter] = []
    for waiter in waiting {
      if !waiter.waitsForReady, now >= waiter.patientUntil,
        isHopeless || failures - waiter.earlierFailures >= turns
      {
        waiter.resume(.failure(error))
      } else {
        kept.append(waiter)
      }
    }
    waiting = kept
  }

  private func tell() {
    switch state {
    case .ready where wasLost:
      wasLost = false
      configuration.logger?.notice("connected again", metadata: ["target": .string(authority)])
    case .transientFailure where !wasLost:
      wasLost = true
      configuration.logger?.warning("no connection", metadata: ["cause": .string(lastError?.message ?? "")])
    default: break
    }
  }

  // MARK: more connections to one address

  private var mayAddConnection: Bool {
    if subchannels.contains(where: { $0.isExtra && $0.machine.state == .connecting }) { return true }
    guard loop.clock.monotonicNanoseconds() >= extrasNotBefore else { return false }
    return ready.contains { connections(to: $0.address) < ConnectionPool.maximumConnectionsPerAddress }
  }

  private func connections(to address: SocketAddress) -> Int {
    subchannels.reduce(0) { $0 + ($1.address == address ? 1 : 0) }
  }

  private func addConnection() {
    guard mayAddConnection, !subchannels.contains(where: { $0.isExtra && $0.machine.state == .connecting }),
      let fullest = ready.filter({ connections(to: $0.address) < ConnectionPool.maximumConnectionsPerAddress })
        .min(by: { connections(to: $0.address) < connections(to: $1.address) })
    else { return }
    let extra = makeSubchannel(fullest.target, fullest.address, isExtra: true)
    subchannels.append(extra)
    extra.connect()
    watchExtras()
  }

  private func watchExtras() {
    guard extrasTimer == nil else { return }
    extrasTimer = loop.schedule(afterNanoseconds: configuration.extraIdleTime.wholeNanoseconds) { [weak self] in
      guard let self else { return }
      extrasTimer = nil
      closeIdleExtras()
      if subchannels.contains(where: \.isExtra) { watchExtras() }
    }
  }

  /// Closes further connections that have had no call for a while, so long as there is another one to their address.
  private func closeIdleExtras() {
    for extra in subchannels where extra.isExtra {
      guard let http2 = extra.http2, http2.activeStreams == 0,
        loop.now &- http2.statistics.lastStreamNanoseconds >= configuration.extraIdleTime.wholeNanoseconds,
        subchannels.contains(where: { $0 !== extra && $0.address == extra.address && $0.http2 != nil })
      else { continue }
      subchannels.removeAll { $0 === extra }
      past += extra.facts.statistics
      extra.shutDown()
    }
    advance()
  }

  /// Those that are not connected are of no use any more.
  private func dropExtras() {
    subchannels.removeAll { subchannel in
      guard subchannel.isExtra else { return false }
      switch subchannel.machine.state {
      case .connecting, .ready: return false
      case .idle, .transientFailure, .shutdown:
        extrasNotBefore = loop.clock.monotonicNanoseconds() &+ ConnectionPool.extraPauseNanoseconds
        past += subchannel.facts.statistics
        subchannel.shutDown()
        return true
      }
    }
  }

  private func makeSubchannel(_ target: ConnectionTarget, _ address: SocketAddress, isExtra: Bool) -> Subchannel {
    let known = subchannels.first { $0.target == target && $0.address == address }?.replica
    let subchannel = Subchannel(
      target: target, address: address, isExtra: isExtra, replica: known ?? Replica(), loop: loop,
      certificates: certificates, configuration: configuration)
    subchannel.owner = self
    return subchannel
  }

  // MARK: replicas that are left out

  /// Whether a replica is connected that says that it does not serve.
  public var hasUnhealthy: Bool { subchannels.contains { $0.http2 != nil && !$0.isHealthy } }

  private func watchOutliers() {
    guard outlierTimer == nil, isWanted, let policy = configuration.outliers else { return }
    outlierTimer = loop.schedule(afterNanoseconds: policy.interval.wholeNanoseconds) { [weak self] in
      guard let self else { return }
      outlierTimer = nil
      lookForOutliers()
    }
  }

  private func lookForOutliers() {
    guard let policy = configuration.outliers else { return }
    var detector = detector ?? OutlierDetector(policy)
    let replicas = subchannels.filter { !$0.isExtra }.map(\.replica)
    detector.look(
      replicas.map { (ObjectIdentifier($0), $0.takeOutcomes()) }, at: loop.clock.monotonicNanoseconds(), loop.random)
    self.detector = detector
    for subchannel in subchannels where !subchannel.isExtra {
      let (replica, isEjected) = (subchannel.replica, detector.isEjected(ObjectIdentifier(subchannel.replica)))
      guard replica.isEjected != isEjected else { continue }
      replica.setEjected(isEjected, at: loop.now)
      configuration.logger?.warning(
        isEjected ? "a replica gets no calls for a while: too many of them fail" : "a replica gets calls again",
        metadata: ["target": .string(authority), "replica": .string(subchannel.address.description)])
    }
    advance()
  }

  // MARK: addresses

  /// Asks for addresses where there are none, none of them answers, or they may have changed.
  private func resolve(_ now: UInt64) {
    guard isWanted else { return }
    for index in addresses.entries.indices {
      let target = addresses.entries[index].target
      let own = subchannels.filter { $0.target == target && !$0.isExtra }
      guard own.allSatisfy({ $0.machine.state == .transientFailure }) || addresses.isStale(index, at: now),
        addresses.beginResolution(of: index, at: now)
      else { continue }
      let literal = SocketAddress.resolve(host: target.host, port: target.port, literal: true)
      if !literal.isEmpty {
        resolved(target, literal, isName: false)
      } else {
        let loop = loop
        let bound = LoopBound(WeakPool(pool: self), on: loop)
        configuration.resolve(target.host, target.port) { found in
          loop.execute {
            bound.value.pool?.resolved(target, found, isName: true)
            bound.value.pool?.advance()
          }
        }
      }
    }
    scheduleResolution(now)
  }

  private func resolved(_ target: ConnectionTarget, _ found: [SocketAddress], isName: Bool) {
    // It may have been taken out while its name was looked up.
    guard addresses.contains(target) else { return }
    addresses.endResolution(of: target, isName: isName, at: loop.clock.monotonicNanoseconds())
    // A name server that is down takes nothing away.
    guard !found.isEmpty else {
      guard !subchannels.contains(where: { $0.target == target }) else { return }
      failures += 1
      lastError = RPCError(.unavailable, "cannot connect to \(target.authority): no such host")
      return
    }
    remove { $0.target == target && !found.contains($0.address) }
    for address in found where subchannels.count < ConnectionPool.maximumAddresses {
      guard !subchannels.contains(where: { $0.target == target && $0.address == address }) else { continue }
      subchannels.append(makeSubchannel(target, address, isExtra: false))
    }
  }

  /// Ends connections when their calls have ended, and makes no others in their place.
  private func remove(_ isGone: (Subchannel) -> Bool) {
    let gone = subchannels.filter(isGone)
    subchannels.removeAll { subchannel in gone.contains { $0 === subchannel } }
    for subchannel in gone {
      past += subchannel.facts.statistics
      subchannel.shutDown()
    }
  }

  /// A name that was not found is asked for again while somebody waits, one that was found when its addresses are old.
  private func scheduleResolution(_ now: UInt64) {
    let isMissed = subchannels.isEmpty && !waiting.isEmpty
    guard let next = isMissed ? addresses.nextResolution : addresses.nextRefresh else { return }
    if let resolutionTimer {
      guard next < resolutionDue else { return }
      loop.cancel(resolutionTimer)
    }
    resolutionDue = next
    resolutionTimer = loop.schedule(afterNanoseconds: next > now ? next - now : 0) { [weak self] in
      self?.resolutionTimer = nil
      self?.advance()
    }
  }
}

extension ConnectionPool: SubchannelOwner {
  func subchannelChanged(_ subchannel: Subchannel) {
    if let error = subchannel.error, !subchannel.isExtra { lastError = error }
    if subchannel.machine.state != .ready {
      addresses.doubt(subchannel.target, at: loop.clock.monotonicNanoseconds())
    }
    advance()
  }

  func subchannelFailed(_ subchannel: Subchannel) {
    if !subchannel.isExtra {
      failures += 1
      lastError = subchannel.error
      addresses.doubt(subchannel.target, at: loop.clock.monotonicNanoseconds())
    }
    advance()
  }
}

/// So that a question for addresses does not keep a pool that nobody uses.
private struct WeakPool {
  weak var pool: ConnectionPool?
}

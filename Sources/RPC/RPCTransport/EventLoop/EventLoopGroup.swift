import Core

/// The event loops of a process: as many as it has cores to use.
public struct EventLoopGroup: Sendable {
  /// Most loops a process may ask for.
  public static let maximumLoops = 256

  /// The loops, at least one.
  public let loops: [EventLoop]
  /// The loop for what belongs to no connection.
  public let first: EventLoop

  /// Starts so many loops, at least one and at most `maximumLoops`, each of which looks for work for at most `idlePoll` before
  /// it sleeps.
  public init(
    count: Int, clock: some Clock = SystemClock(), random: some RandomSource = SystemRandom(),
    idlePoll: Duration = EventLoop.defaultIdlePoll
  ) throws(TransportError) {
    first = try EventLoop(clock: clock, random: random, idlePoll: idlePoll)
    var loops = [first]
    while loops.count < min(count, EventLoopGroup.maximumLoops) {
      loops.append(try EventLoop(clock: clock, random: random, idlePoll: idlePoll))
    }
    self.loops = loops
  }

  /// The loop that this code runs on; nil if it runs on none of these.
  public var current: EventLoop? { loops.first { $0.isCurrent } }

  /// Ends all loops.
  public func stop() {
    for loop in loops { loop.stop() }
  }
}

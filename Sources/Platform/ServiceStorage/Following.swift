import EventFollowing
import Logging
import ProductCopies
import RPCCore
import ServiceRuntime

/// What a program runs beside its service.
public struct Beside: Sendable {
  /// What answers calls beside the service's own methods.
  public var methods: [MethodBinding] = []
  /// Loops that run as long as the service does, on the first event loop.
  public var loops: [@Sendable () async throws -> Void] = []
  /// Returns when the service may say that it is healthy.
  public var ready: @Sendable () async throws -> Void = {}
  /// Its figures for /metrics.
  public var gauges: @Sendable () async throws -> [Gauge] = { [] }

  /// Whether nothing is known that should not be so.
  public var isSound: @Sendable () -> Bool = { true }

  /// Nothing.
  public init() {}
}

extension ServiceEnvironment {
  /// How long a start waits for what happened in another service meanwhile before it goes on with what it knew.
  public static let catchUpPatience = Duration.seconds(3)

  /// Follows the partner service as upstreams.partner says, so that the service knows of a withdrawal before it is healthy.
  /// Nothing if the setting is left out.
  public func followingProducts(for service: some KeepsProductCopies) throws -> Beside {
    guard let channel = try channel(to: "partner") else { return Beside() }
    let follower = service.products.follower(channel, clock: clock)
    let (sleep, onNotice, clock) = (sleep, onNotice(of: "partner"), clock)
    var beside = Beside()
    beside.loops = [{ try await follower.run(sleep: sleep, onNotice: onNotice) }]
    beside.gauges = { Gauge.followers([("partner", follower.status)], at: clock.now()) }
    beside.ready = { try await follower.firstCatchUp(within: Self.catchUpPatience, sleep: sleep) }
    return beside
  }

  /// What a follower's notices become: lines in the log.
  public func onNotice(of name: String) -> @Sendable (FollowerNotice) -> Void {
    let logger = logger
    return { notice in
      let level: Logger.Level =
        switch notice {
        case .resumed: .info
        case .interrupted, .skipped: .warning
        }
      logger.log(level: level, "following the \(name) service", metadata: ["notice": "\(notice)"])
    }
  }
}

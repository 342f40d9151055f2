/// Where random bytes come from: the system in products, a seed in tests.
public protocol RandomSource: Sendable {
  /// 64 random bits.
  func next() -> UInt64
}

/// The system's cryptographically secure generator.
public struct SystemRandom: RandomSource {
  /// The system's generator.
  public init() {}

  /// 64 bits from the system.
  public func next() -> UInt64 {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
  }
}

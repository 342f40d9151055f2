import Synchronization

/// Bytes that the connections of a process hold together: queued for peers that do not take them, and received for handlers
/// that have not read them. Connections tell it in large steps, so that small calls cost it nothing.
public final class ByteBudget: Sendable {
  /// The budget that connections share unless they are given another one.
  public static let process = ByteBudget(limitBytes: 536_870_912)
  /// What a connection may hold without telling, and also when the budget is used up.
  static let stepBytes = 65_536

  /// When more is held, calls that would add to it fail with RESOURCE_EXHAUSTED.
  public let limitBytes: Int
  private let used = Atomic<Int>(0)

  /// A budget of so many bytes.
  public init(limitBytes: Int) { self.limitBytes = limitBytes }

  /// What is held now, but for less than a step on each connection.
  public var usedBytes: Int { used.load(ordering: .relaxed) }

  var isUsedUp: Bool { usedBytes >= limitBytes }

  func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }
}

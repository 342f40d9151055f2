/// Demo records on their way into an import, made into messages as they are sent.
final class DemoRows<Record>: RecordSource {
  private let count: Int
  private let make: (Int) -> Record
  private var position = 0
  private(set) var rejectedRows = 0
  /// Why the first row was not taken.
  private(set) var firstReason: String?

  let unreadableRows = 0
  let missingAmounts = 0

  init(count: Int, make: @escaping (Int) -> Record) {
    (self.count, self.make) = (count, make)
  }

  var consumedBytes: Int { position }

  /// Batches are cut by their rows.
  func next() -> (line: Int, record: Record, bytes: Int)? {
    guard position < count else { return nil }
    defer { position += 1 }
    return (position + 1, make(position), 0)
  }

  func settle(_ lines: [Int], rejected: [Int: String]) {
    rejectedRows += rejected.count
    if firstReason == nil { firstReason = rejected.min { $0.key < $1.key }.map { "row \($0.key): \($0.value)" } }
  }
}

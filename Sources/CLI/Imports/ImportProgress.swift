import Core

/// The line that tells a person how far an import is; nothing if nobody looks. Confined to one task.
final class ImportProgress {
  /// Least time between two looks of the line.
  static let pauseNanoseconds: UInt64 = 200_000_000

  private let isShown: Bool
  private let totalBytes: Int?
  private let clock: any Clock
  private let started: UInt64
  private var last: UInt64 = 0
  private var isDirty = false

  init(isShown: Bool, totalBytes: Int?, clock: any Clock) {
    (self.isShown, self.totalBytes, self.clock) = (isShown, totalBytes, clock)
    started = clock.monotonicNanoseconds()
  }

  /// Seconds since the import began.
  var seconds: Double { Double(clock.monotonicNanoseconds() - started) / 1e9 }

  /// So many rows are done, of so many bytes.
  func update(rows: Int, bytes: Int) {
    let now = clock.monotonicNanoseconds()
    guard isShown, now - last >= ImportProgress.pauseNanoseconds else { return }
    last = now
    isDirty = true
    StandardError.write(
      "\r" + ImportProgress.line(rows: rows, bytes: bytes, of: totalBytes, seconds: seconds) + "\u{1B}[K")
  }

  /// Removes the line.
  func clear() {
    if isDirty { StandardError.write("\r\u{1B}[K") }
    isDirty = false
  }

  /// For example "[######--------------]  30 %  300,000 rows  25,000 rows/s  0:28 left".
  static func line(rows: Int, bytes: Int, of total: Int?, seconds: Double) -> String {
    let rate = seconds > 0 ? Int(Double(rows) / seconds) : 0
    let count = "\(grouped(rows)) rows  \(grouped(rate)) rows/s"
    guard let total, total > 0 else { return count }
    let share = min(1, Double(bytes) / Double(total))
    return "\(ProgressBar.text(share))  \(count)  \(ProgressBar.left(share, seconds: seconds))"
  }
}

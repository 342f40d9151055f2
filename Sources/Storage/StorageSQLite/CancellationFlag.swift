import Storage
import Synchronization

/// Set once by whoever stops a scan, looked at while it runs.
final class CancellationFlag: Sendable {
  /// Why a scan was stopped.
  enum Reason {
    /// Its task was cancelled.
    case cancelled
    /// It has kept the WAL from beginning anew until the WAL was full.
    case walIsFull(pages: Int)

    var error: any Error {
      switch self {
      case .cancelled: CancellationError()
      case .walIsFull(let pages): StorageError.overloaded(queue: "the write-ahead log", limit: pages)
      }
    }
  }

  /// 0: not set; -1: cancelled; else the pages of a full WAL.
  private let flag = Atomic(0)

  /// Nil as long as it may go on.
  var reason: Reason? {
    switch flag.load(ordering: .relaxed) {
    case 0: nil
    case -1: .cancelled
    case let pages: .walIsFull(pages: pages)
    }
  }

  /// Stops it; the first reason counts.
  func set(_ reason: Reason = .cancelled) {
    let value =
      switch reason {
      case .cancelled: -1
      case .walIsFull(let pages): max(pages, 1)
      }
    _ = flag.compareExchange(expected: 0, desired: value, ordering: .relaxed)
  }
}

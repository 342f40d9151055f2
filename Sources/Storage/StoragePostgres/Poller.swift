import CPostgres
import Glibc
import Storage

/// epoll, and an eventfd by which other threads wake the one that waits.
final class Poller: Sendable {
  private static let wakeNumber = UInt64.max
  /// Most sockets that are told of at a time.
  private static let maximumEvents = 64

  private let epoll: CInt
  private let wakeup: CInt

  /// Throws when the process may not have more descriptors.
  init(path: String) throws(StorageError) {
    epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
    wakeup = eventfd(0, CInt(EFD_CLOEXEC | EFD_NONBLOCK))
    guard epoll >= 0, wakeup >= 0 else {
      throw StorageError.cannotOpen(path: path, reason: "no more descriptors (system error \(errno))")
    }
    watch(wakeup, number: Poller.wakeNumber, reading: true, writing: false)
  }

  deinit {
    if epoll >= 0 { Glibc.close(epoll) }
    if wakeup >= 0 { Glibc.close(wakeup) }
  }

  /// Ends a `wait` early; from any thread.
  func wake() {
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }

  /// Watches a socket; what it was watched for before is forgotten. libpq may have closed it and opened another one with the same number.
  func watch(_ socket: CInt, number: UInt64, reading: Bool, writing: Bool) {
    var event = epoll_event()
    event.events = (reading ? EPOLLIN.rawValue : 0) | (writing ? EPOLLOUT.rawValue : 0)
    event.data.u64 = number
    if epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0 { epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) }
  }

  /// Watches it no more.
  func forget(_ socket: CInt) {
    var event = epoll_event()
    epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event)
  }

  /// Numbers of the sockets that can be read or written; waits so long for the first, for ever if negative.
  func wait(milliseconds: CInt) -> [UInt64] {
    var events = [epoll_event](repeating: epoll_event(), count: Poller.maximumEvents)
    let count = epoll_wait(epoll, &events, CInt(events.count), milliseconds)
    guard count > 0 else { return [] }
    var ready: [UInt64] = []
    for event in events.prefix(Int(count)) {
      if event.data.u64 == Poller.wakeNumber {
        var value: UInt64 = 0
        _ = read(wakeup, &value, 8)
      } else {
        ready.append(event.data.u64)
      }
    }
    return ready
  }
}

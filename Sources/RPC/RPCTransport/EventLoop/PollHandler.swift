import COpenSSL
import Glibc

/// What an event loop calls when a descriptor is ready. A class and no protocol: epoll hands back its pointer.
class PollHandler {
  /// The descriptor that is watched, or -1 when it is closed.
  fileprivate(set) var descriptor: Int32
  /// What epoll watches for now.
  fileprivate(set) var interest: UInt32 = 0
  /// Whether `flush` is due at the end of this turn.
  fileprivate(set) var isDirty = false

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// The descriptor is ready for these epoll events.
  func ready(_ events: UInt32) {}

  /// The end of a turn in which `EventLoop.markDirty` was called.
  func flush() {}
}

extension EventLoop {
  /// Watches a descriptor; the loop keeps the handler until `forget`.
  func watch(_ handler: PollHandler, _ interest: UInt32) {
    assertOnLoop()
    var event = epoll_event(events: interest, data: .init(ptr: Unmanaged.passUnretained(handler).toOpaque()))
    let operation = handlers[ObjectIdentifier(handler)] == nil ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    handlers[ObjectIdentifier(handler)] = handler
    handler.interest = interest
    epoll_ctl(pollDescriptor, operation, handler.descriptor, &event)
  }

  /// Stops watching and closes the descriptor. The handler lives on until the end of the turn, since events for it may
  /// already have been fetched.
  func forget(_ handler: PollHandler) {
    assertOnLoop()
    guard handler.descriptor >= 0 else { return }
    epoll_ctl(pollDescriptor, EPOLL_CTL_DEL, handler.descriptor, nil)
    close(handler.descriptor)
    handler.descriptor = -1
    if let removed = handlers.removeValue(forKey: ObjectIdentifier(handler)) { retired.append(removed) }
  }

  /// Stops watching everything; the loop ends.
  func closeAll() {
    for handler in Array(handlers.values) { forget(handler) }
    retired.removeAll()
  }

  /// Has `handler.flush()` called once at the end of this turn.
  func markDirty(_ handler: PollHandler) {
    guard !handler.isDirty else { return }
    handler.isDirty = true
    dirty.append(handler)
  }

  /// Has `handler.ready` called in the next turn as if it could be read.
  func again(_ handler: PollHandler) {
    unread.append(handler)
  }

  /// Calls those that asked for it by `again`.
  func readAgain() {
    let batch = unread
    unread.removeAll()
    for handler in batch where handler.descriptor >= 0 { handler.ready(EPOLLIN.rawValue) }
  }

  /// Flushes what is dirty; what becomes dirty meanwhile is flushed too.
  func flushDirty() {
    while !dirty.isEmpty {
      swap(&dirty, &flushing)
      for handler in flushing {
        handler.isDirty = false
        handler.flush()
      }
      flushing.removeAll(keepingCapacity: true)
    }
  }
}

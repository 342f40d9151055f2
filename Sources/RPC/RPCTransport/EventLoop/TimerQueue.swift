/// Timers in order of their time: a binary heap in which each timer knows its place, so that one can be cancelled in
/// O(log n). A pure value: time comes in through `expired(at:)`.
struct TimerQueue {
  private var heap: [LoopTimer] = []

  /// When the next timer is due, in nanoseconds of the loop's monotonic clock.
  var nextDeadline: UInt64? { heap.first?.deadlineNanoseconds }

  /// How many wait.
  var count: Int { heap.count }

  /// Adds a timer.
  mutating func insert(_ timer: LoopTimer) {
    timer.place = heap.count
    heap.append(timer)
    siftUp(timer.place)
  }

  /// Takes a timer out; one that is not in is left alone.
  mutating func remove(_ timer: LoopTimer) {
    let place = timer.place
    guard heap.indices.contains(place), heap[place] === timer else { return }
    let last = heap.removeLast()
    timer.place = -1
    guard place < heap.count else { return }
    heap[place] = last
    last.place = place
    siftUp(place)
    siftDown(last.place)
  }

  /// Takes out the next timer that is due by now.
  mutating func expired(at nanoseconds: UInt64) -> LoopTimer? {
    guard let first = heap.first, first.deadlineNanoseconds <= nanoseconds else { return nil }
    remove(first)
    return first
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].deadlineNanoseconds < heap[parent].deadlineNanoseconds else { return }
      exchange(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].deadlineNanoseconds < heap[least].deadlineNanoseconds { least = child }
      }
      guard least != parent else { return }
      exchange(parent, least)
      parent = least
    }
  }

  private mutating func exchange(_ left: Int, _ right: Int) {
    heap.swapAt(left, right)
    heap[left].place = left
    heap[right].place = right
  }
}

/// Something that an event loop does later. Confined to its loop.
public final class LoopTimer {
  let deadlineNanoseconds: UInt64
  let action: () -> Void
  /// Place in the queue's heap; -1 when it is not in.
  var place = -1

  init(deadlineNanoseconds: UInt64, action: @escaping () -> Void) {
    self.deadlineNanoseconds = deadlineNanoseconds
    self.action = action
  }
}

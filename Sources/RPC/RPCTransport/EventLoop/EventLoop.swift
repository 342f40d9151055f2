import COpenSSL
import Core
import Glibc
import Synchronization

/// One thread that waits for descriptors, timers and work from other threads, and runs the tasks that belong to it.
///
/// A connection stays on its loop for life, and the handlers of its calls are `async` functions on the same loop (SE-0417),
/// so nothing of a call is ever locked. It is a TaskExecutor and no SerialExecutor: one type that is both makes actors hop.
///
/// Unchecked Sendable: `inbound` is behind its mutex; all else is touched by the loop's thread only, which `assertOnLoop`
/// checks in debug builds.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
  /// Most events taken from epoll at once.
  private static let eventsPerPoll = 256
  /// Most rounds of jobs between two looks at the descriptors, so that tasks which wake each other do not starve them.
  private static let jobRoundsPerTurn = 64

  private struct Inbound {
    var jobs: [UnownedJob] = []
    var work: [@Sendable () -> Void] = []
    var isWoken = false
    var isStopped = false
  }

  /// Where the loop's time comes from.
  public let clock: any Clock
  /// Where back-off gets its jitter from.
  public let random: any RandomSource
  /// The monotonic time at which this turn began: for what need not be exact, without asking the clock.
  public private(set) var now: UInt64
  /// How long the turn before this one worked: what has come meanwhile has waited for as long.
  public private(set) var lastTurnNanoseconds: UInt64 = 0
  /// Figures of the calls that servers answer on this loop.
  public let metrics = CallMetrics()
  /// What belongs to this loop and can be asked how it is.
  public let directory = ChannelDirectory()
  let pollDescriptor: Int32
  private let wakeDescriptor: Int32
  private let inbound = Mutex(Inbound())
  private var jobs: [UnownedJob] = []
  private var runningJobs: [UnownedJob] = []
  private var timers = TimerQueue()
  private var polling: IdlePolling
  var handlers: [ObjectIdentifier: PollHandler] = [:]
  var retired: [PollHandler] = []
  var dirty: [PollHandler] = []
  var flushing: [PollHandler] = []
  var unread: [PollHandler] = []
  /// pthread_self() of the loop's thread; 0 until it runs.
  private let thread = Atomic<UInt>(0)
  /// Scratch space of the connections of this loop, for reading and for packing output.
  let scratch: UnsafeMutableRawBufferPointer
  /// Bytes of `scratch`: one TLS record's worth of output fits behind an unfinished one.
  static let scratchBytes = 65_536
  /// Where the TLS records of a large output are put together.
  let records: UnsafeMutableRawBufferPointer
  /// Bytes of `records`: eight full records with all that TLS adds. As much waits for a peer that does not read.
  static let recordsBytes = 8 * 16_640

  /// How long a loop that is not told otherwise looks for work before it sleeps, at most.
  public static let defaultIdlePoll: Duration = .microseconds(100)

  /// A loop that runs on a thread of its own until `stop`. It looks for work for at most `idlePoll` before it sleeps, and only
  /// while its pauses are that short (decision 0011); a clock that is turned by hand cannot tell, so with one it always sleeps.
  /// Throws if the system has no descriptors left.
  public init(
    clock: some Clock = SystemClock(), random: some RandomSource = SystemRandom(),
    idlePoll: Duration = EventLoop.defaultIdlePoll
  ) throws(TransportError) {
    polling = IdlePolling(limit: clock is SystemClock ? idlePoll.wholeNanoseconds : 0)
    self.clock = clock
    self.random = random
    now = clock.monotonicNanoseconds()
    pollDescriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    scratch = .allocate(byteCount: EventLoop.scratchBytes, alignment: 64)
    records = .allocate(byteCount: EventLoop.recordsBytes, alignment: 64)
    guard pollDescriptor >= 0, wakeDescriptor >= 0 else {
      throw .system("cannot create an event loop", errno)
    }
    var event = epoll_event(events: EPOLLIN.rawValue, data: .init(ptr: nil))
    epoll_ctl(pollDescriptor, EPOLL_CTL_ADD, wakeDescriptor, &event)
    let context = Unmanaged.passRetained(self).toOpaque()
    var created = pthread_t()
    let result = pthread_create(&created, nil, startEventLoop, context)
    guard result == 0 else {
      Unmanaged<EventLoop>.fromOpaque(context).release()
      throw .system("cannot start a thread", result)
    }
    // Nobody waits for the thread, so it gives its memory back itself.
    pthread_detach(created)
  }

  deinit {
    scratch.deallocate()
    records.deallocate()
    close(pollDescriptor)
    close(wakeDescriptor)
  }

  // MARK: from any thread

  /// Whether this is the loop's thread.
  public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  /// Does this on the loop's thread: at once if this is it, soon otherwise.
  public func execute(_ work: @escaping @Sendable () -> Void) {
    if isCurrent { return work() }
    let wake = inbound.withLock { inbound in
      inbound.work.append(work)
      defer { inbound.isWoken = true }
      return !inbound.isWoken
    }
    if wake { ring() }
  }

  /// Takes a task's next piece of work.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      jobs.append(job)
      return
    }
    let wake = inbound.withLock { inbound in
      inbound.jobs.append(job)
      defer { inbound.isWoken = true }
      return !inbound.isWoken
    }
    if wake { ring() }
  }

  /// Starts a task on this loop: the only place in the products where one is started.
  @discardableResult
  public func spawn(_ body: @escaping @Sendable @isolated(any) () async -> Void) -> Task<Void, Never> {
    Task.detached(executorPreference: self, operation: body)
  }

  /// Runs this on the loop and waits for it: how code that is on no loop calls what is. Cancellation is passed on.
  public func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let task = Task.detached(executorPreference: self, operation: body)
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// Ends the thread after this turn and closes what it watches. Tasks that have not ended stay where they are.
  public func stop() {
    inbound.withLock { $0.isStopped = true }
    ring()
  }

  private func ring() {
    var one: UInt64 = 1
    write(wakeDescriptor, &one, 8)
  }

  // MARK: on the loop

  /// Checks, in debug builds, that this is the loop's thread.
  func assertOnLoop() {
    assert(isCurrent, "this belongs to another event loop")
  }

  /// Calls `action` on the loop, once, so many nanoseconds from now.
  func schedule(afterNanoseconds delay: UInt64, _ action: @escaping () -> Void) -> LoopTimer {
    assertOnLoop()
    let (deadline, overflow) = clock.monotonicNanoseconds().addingReportingOverflow(delay)
    let timer = LoopTimer(deadlineNanoseconds: overflow ? .max : deadline, action: action)
    timers.insert(timer)
    return timer
  }

  /// Forgets a timer; one that has fired is left alone.
  func cancel(_ timer: LoopTimer) {
    assertOnLoop()
    timers.remove(timer)
  }

  /// When the next timer is due: a simulation moves its clock there.
  package var nextTimerNanoseconds: UInt64? { timers.nextDeadline }
  /// Whether no task has work to do in this turn.
  package var isSettled: Bool { jobs.isEmpty && runningJobs.isEmpty && dirty.isEmpty }

  fileprivate func turn() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    // The number of a thread that has ended may be given to another one.
    defer { thread.store(0, ordering: .relaxed) }
    // A cut connection is an error of a write, not of the process.
    var ignored = sigset_t()
    sigemptyset(&ignored)
    sigaddset(&ignored, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &ignored, nil)
    var events = [epoll_event](repeating: epoll_event(), count: EventLoop.eventsPerPoll)
    while true {
      let count = waitForEvents(&events)
      now = clock.monotonicNanoseconds()
      for event in events.prefix(Int(max(0, count))) {
        if let pointer = event.data.ptr {
          let handler = Unmanaged<PollHandler>.fromOpaque(pointer).takeUnretainedValue()
          if handler.descriptor >= 0 { handler.ready(event.events) }
        } else {
          var rung: UInt64 = 0
          read(wakeDescriptor, &rung, 8)
        }
      }
      readAgain()
      if takeInbound() { return closeAll() }
      runJobs()
      let worked = clock.monotonicNanoseconds()
      lastTurnNanoseconds = worked - min(worked, now)
      now = worked
      while let timer = timers.expired(at: now) { timer.action() }
      runJobs()
      retired.removeAll(keepingCapacity: true)
    }
  }

  private func waitForEvents(_ events: inout [epoll_event]) -> Int32 {
    let timeout = millisecondsToWait()
    guard timeout != 0, polling.limit > 0 else {
      return epoll_wait(pollDescriptor, &events, Int32(events.count), timeout)
    }
    let start = clock.monotonicNanoseconds()
    var look = start
    while polling.window > 0 {
      let count = epoll_wait(pollDescriptor, &events, Int32(events.count), 0)
      if count != 0 { return count }
      // Only time that nobody else wants is spent on looking.
      sched_yield()
      let now = clock.monotonicNanoseconds()
      guard polling.goesOn(since: start, lastLook: look, at: now) else { break }
      look = now
    }
    let count = epoll_wait(pollDescriptor, &events, Int32(events.count), timeout)
    let end = clock.monotonicNanoseconds()
    polling.slept(end - start, until: end)
    return count
  }

  private func millisecondsToWait() -> Int32 {
    guard jobs.isEmpty, dirty.isEmpty, unread.isEmpty else { return 0 }
    guard let deadline = timers.nextDeadline else { return -1 }
    let now = clock.monotonicNanoseconds()
    guard deadline > now else { return 0 }
    return Int32(min((deadline - now + 999_999) / 1_000_000, 60_000))
  }

  /// Fetches what other threads have left here; true when the loop shall end.
  private func takeInbound() -> Bool {
    let (work, stopped) = inbound.withLock { inbound in
      jobs.append(contentsOf: inbound.jobs)
      inbound.jobs.removeAll(keepingCapacity: true)
      inbound.isWoken = false
      defer { inbound.work.removeAll() }
      return (inbound.work, inbound.isStopped)
    }
    for item in work { item() }
    return stopped
  }

  private func runJobs() {
    let executor = asUnownedTaskExecutor()
    for _ in 0..<EventLoop.jobRoundsPerTurn {
      flushDirty()
      if jobs.isEmpty { return }
      swap(&jobs, &runningJobs)
      for index in runningJobs.indices { runningJobs[index].runSynchronously(on: executor) }
      runningJobs.removeAll(keepingCapacity: true)
    }
  }
}

private func startEventLoop(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  context.map { Unmanaged<EventLoop>.fromOpaque($0).takeRetainedValue().turn() }
  return nil
}

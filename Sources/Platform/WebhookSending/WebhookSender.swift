import CCurl
import Glibc
import Synchronization

/// Posts to endpoints outside, over HTTP/1.1 or HTTP/2 by libcurl: on one thread of its own, any number side by side up to a limit,
/// so that a slow endpoint holds up none of the others and no event loop.
public final class WebhookSender: Sendable {
  /// Most posts at a time; the next is refused.
  public static let maximumPosts = 128
  /// Longest time for one post, connecting included.
  public static let timeoutMilliseconds = 10_000
  /// Most bytes of a reply that are taken; they are not looked at.
  public static let maximumReplyBytes = 64 << 10
  /// Longest time that the thread waits without looking; a post that comes wakes it.
  private static let lookMilliseconds: Int32 = 1_000

  /// What came of a post.
  public enum Outcome: Sendable, Equatable {
    /// The endpoint answered with this status.
    case status(Int)
    /// It did not, for this reason.
    case failed(String)
  }

  /// What is to be posted.
  public struct Post: Sendable {
    /// Where to.
    public var url: String
    /// Further headers, by name.
    public var headers: [(name: String, value: String)]
    /// The content.
    public var body: [UInt8]
    /// Whether addresses that are not of the public internet may be reached, and plain HTTP be spoken.
    public var allowsPrivateAddresses: Bool

    /// A post.
    public init(url: String, headers: [(name: String, value: String)], body: [UInt8], allowsPrivateAddresses: Bool) {
      self.url = url
      self.headers = headers
      self.body = body
      self.allowsPrivateAddresses = allowsPrivateAddresses
    }
  }

  private struct State {
    var waiting: [(Post, CheckedContinuation<Outcome, Never>)] = []
    var count = 0
    var isStopped = false
  }

  private let state = Mutex(State())
  private let multi: Multi
  private let authorities: String

  /// Starts the thread. `authorities` is a file with the certificates that endpoints must come from; the system's if empty.
  public init(authorities: String = "") {
    // Once in a process, before there is a second thread that might: further calls only count.
    curl_global_init(Int(CURL_GLOBAL_DEFAULT))
    multi = Multi()
    self.authorities = authorities
    let worker = Worker { [weak self, multi] in
      while self?.work() == true {
        curl_multi_poll(multi.pointer, nil, 0, Self.lookMilliseconds, nil)
      }
      // Whoever stopped it has let go.
    }
    worker.start()
  }

  deinit { stop() }

  /// Ends: what goes on is broken off within a second, what comes is refused.
  public func stop() {
    state.withLock { $0.isStopped = true }
    curl_multi_wakeup(multi.pointer)
  }

  /// Posts, and returns what came of it; never throws, and is not cancelled: at most `timeoutMilliseconds` pass.
  public func send(_ post: Post) async -> Outcome {
    await withCheckedContinuation { continuation in
      let refusal: String? = state.withLock { state in
        if state.isStopped { return "the service is stopping" }
        if state.count >= Self.maximumPosts { return "\(Self.maximumPosts) posts are under way already" }
        state.count += 1
        state.waiting.append((post, continuation))
        return nil
      }
      if let refusal { return continuation.resume(returning: .failed(refusal)) }
      curl_multi_wakeup(multi.pointer)
    }
  }

  /// One round on the thread: begins what waits, goes on with what runs, answers what has ended. False when it is over.
  private func work() -> Bool {
    let (posts, isStopped) = state.withLock { state in
      defer { state.waiting = [] }
      return (state.waiting, state.isStopped)
    }
    for (post, continuation) in posts { multi.begin(post, authorities: authorities, continuation, ended) }
    var running: Int32 = 0
    curl_multi_perform(multi.pointer, &running)
    multi.collect(ended)
    if isStopped { multi.breakOff(ended) }
    return !isStopped
  }

  private func ended(_ outcome: Outcome, _ continuation: CheckedContinuation<Outcome, Never>) {
    state.withLock { $0.count -= 1 }
    continuation.resume(returning: outcome)
  }
}

/// libcurl's handle and the posts on it.
///
/// Unchecked Sendable: the posts are touched by the sender's thread alone; of the handle other threads call only
/// curl_multi_wakeup, which may be.
private final class Multi: @unchecked Sendable {
  typealias End = (WebhookSender.Outcome, CheckedContinuation<WebhookSender.Outcome, Never>) -> Void

  private struct Running {
    let continuation: CheckedContinuation<WebhookSender.Outcome, Never>
    /// How many bytes of the reply are still taken.
    let left: UnsafeMutablePointer<Int>
  }

  let pointer = curl_multi_init()
  private var running: [UnsafeMutablePointer<mainstay_post>: Running] = [:]

  deinit { curl_multi_cleanup(pointer) }

  func begin(
    _ post: WebhookSender.Post, authorities: String,
    _ continuation: CheckedContinuation<WebhookSender.Outcome, Never>, _ end: End
  ) {
    let left = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    left.initialize(to: WebhookSender.maximumReplyBytes)
    let made = post.body.withUnsafeBytes {
      mainstay_post_make(
        post.url, $0.baseAddress, $0.count, post.allowsPrivateAddresses ? 1 : 0, WebhookSender.timeoutMilliseconds,
        authorities, left)
    }
    guard let made else {
      left.deallocate()
      return end(.failed("the URL cannot be used"), continuation)
    }
    // "Expect: 100-continue" would cost a second where the endpoint does not know it.
    for line in post.headers.map({ "\($0.name): \($0.value)" }) + ["Expect:"] {
      _ = mainstay_post_header(made, line)
    }
    running[made] = Running(continuation: continuation, left: left)
    if curl_multi_add_handle(pointer, made.pointee.easy) != CURLM_OK {
      finish(made, .failed("libcurl has no memory"), end)
    }
  }

  func collect(_ end: End) {
    var result = CURLE_OK
    var status = 0
    while let post = mainstay_post_ended(pointer, &result, &status) {
      let outcome: WebhookSender.Outcome =
        if mainstay_post_met_private(post) != 0 {
          .failed("the endpoint's address is not of the public internet")
        } else if result == CURLE_OK || result == CURLE_WRITE_ERROR {
          // A reply that is too long has a status all the same.
          .status(status)
        } else {
          .failed(Multi.reason(post, result))
        }
      finish(post, outcome, end)
    }
  }

  func breakOff(_ end: End) {
    for post in Array(running.keys) {
      curl_multi_remove_handle(pointer, post.pointee.easy)
      finish(post, .failed("the service is stopping"), end)
    }
  }

  private func finish(
    _ post: UnsafeMutablePointer<mainstay_post>, _ outcome: WebhookSender.Outcome, _ end: End
  ) {
    mainstay_post_free(post)
    guard let one = running.removeValue(forKey: post) else { return }
    one.left.deallocate()
    end(outcome, one.continuation)
  }

  private static func reason(_ post: UnsafeMutablePointer<mainstay_post>, _ result: CURLcode) -> String {
    let detail = String(cString: mainstay_post_error(post))
    return detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
  }
}

/// A thread.
private final class Worker: Sendable {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  func start() {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    let failure = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, context)
    if failure == 0 { pthread_detach(thread) } else { Unmanaged<Worker>.fromOpaque(context).release() }
  }
}

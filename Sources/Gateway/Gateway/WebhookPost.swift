import API
import Core
import RPCCore
import RPCTransport
import ServiceRuntime

/// A post of a system outside: POST /webhooks/SERVICE/SOURCE_ID, without gRPC and without a client certificate. The gateway knows no
/// secret: it passes headers and body to the service, which judges the signature, and answers with an HTTP status.
///
/// Unchecked Sendable: used on the loop of its connection only.
final class WebhookPost: HTTP2StreamHandler, @unchecked Sendable {
  /// Where posts go.
  static let prefix = "/webhooks/"
  /// Largest body, in bytes.
  static let maximumBodyBytes = 262_144
  /// Longest header of a signature, in bytes.
  static let maximumHeaderBytes = 1_024
  /// Longest id of a source in the path, in bytes.
  static let maximumSourceBytes = 64
  /// How long a body may take to come.
  static let bodyNanoseconds: UInt64 = 10_000_000_000
  private static let keptAnswer = "{\"kept\":\"it could not be applied; the operators will see to it\"}"
  /// How long the service may take.
  static let patience = Duration.seconds(10)

  private let stream: HTTP2Stream
  private let loop: EventLoop
  private let posts: WebhookPosts
  private let service: String
  private var request: ReceiveWebhookRequest
  private var timer: CallTimer?
  private var hasPlace = false
  private var isAnswered = false
  private var isPassedOn = false
  private var droppedBytes = 0

  private init(
    _ stream: HTTP2Stream, loop: EventLoop, posts: WebhookPosts, service: String, request: ReceiveWebhookRequest
  ) {
    (self.stream, self.loop, self.posts, self.service, self.request) = (stream, loop, posts, service, request)
  }

  /// Takes the stream over if it is such a post, well formed or not.
  static func takes(_ stream: HTTP2Stream, _ headers: HeaderBlock, _ posts: WebhookPosts, loop: EventLoop) -> Bool {
    guard let path = headers.first(":path"), path.hasPrefix(prefix), headers.first(":method") == "POST" else {
      return false
    }
    let words = path.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    func header(_ name: StaticString) -> String { headers.first(name) ?? "" }
    let request = ReceiveWebhookRequest(
      sourceID: words.count == 2 ? words[1] : "", webhookID: header("webhook-id"),
      timestamp: header("webhook-timestamp"), signature: header("webhook-signature"))
    let post = WebhookPost(stream, loop: loop, posts: posts, service: words.first ?? "", request: request)
    stream.handler = post
    post.begin(isPlace: words.count == 2, encoding: header("content-encoding"))
    return true
  }

  private func begin(isPlace: Bool, encoding: String) {
    let texts = [request.webhookID, request.timestamp, request.signature]
    if !isPlace || !posts.serves(service) {
      answer("404", "there is no such place for posts")
    } else if texts.contains(where: \.isEmpty) {
      answer("400", "webhook-id, webhook-timestamp and webhook-signature are required (standardwebhooks.com)")
    } else if texts.contains(where: { $0.utf8.count > WebhookPost.maximumHeaderBytes })
      || request.sourceID.utf8.count > WebhookPost.maximumSourceBytes
    {
      answer("400", "a header or the path is too long")
    } else if !encoding.isEmpty {
      answer("415", "the body must not be compressed")
    } else if !posts.begin(at: loop.clock.monotonicNanoseconds()) {
      answer("429", "too many posts; try again", more: [("retry-after", "1")])
    } else {
      hasPlace = true
      timer = CallTimer(loop, afterNanoseconds: WebhookPost.bodyNanoseconds) { [weak self] in
        self?.answer("408", "the body did not come in time")
      }
    }
  }

  func received(headers: HeaderBlock, endStream: Bool) {}

  func received(data: UnsafeRawBufferPointer) {
    stream.consume(data.count)
    guard !isAnswered else {
      // Whoever is not stopped by an answer is by a reset.
      droppedBytes += data.count
      if droppedBytes > WebhookPost.maximumBodyBytes { stream.reset(0) }
      return
    }
    guard request.body.count + data.count <= WebhookPost.maximumBodyBytes else {
      return answer("413", "a body has at most \(WebhookPost.maximumBodyBytes) bytes")
    }
    request.body.append(contentsOf: data)
  }

  func receivedEnd(trailers: HeaderBlock?) {
    guard !isAnswered else { return }
    timer?.cancel()
    isPassedOn = true
    loop.spawn { [self] in
      let result = await posts.pass(request, to: service, clock: loop.clock)
      switch result {
      case .success(let reply):
        answer(
          reply.applied ? "200" : "202", reply.applied ? reply.answer : WebhookPost.keptAnswer, type: "application/json"
        )
      case .failure(let error):
        let status = WebhookPost.status(of: error.code)
        // Only what is of the sender's making is told.
        let text = status == "503" ? "it cannot be taken now; send it again" : error.message
        answer(status, text, more: status == "429" || status == "503" ? [("retry-after", "1")] : [])
      }
    }
  }

  func becameWritable() {}

  func closed(errorCode: UInt32) {
    // What is with the service comes to its end there, and gives its place back then.
    if !isPassedOn { end() }
  }

  private static func status(of code: StatusCode) -> String {
    switch code {
    case .unauthenticated: "401"
    case .resourceExhausted: "429"
    case .unimplemented, .notFound: "404"
    default: "503"
    }
  }

  private func answer(
    _ status: String, _ text: String, type: String = "text/plain; charset=utf-8", more: [(String, String)] = []
  ) {
    end()
    guard !stream.isFinished else { return }
    stream.respond(HeaderBlock([(":status", status), ("content-type", type)] + more))
    stream.write(Array((text + "\n").utf8))
    stream.finish()
  }

  private func end() {
    isAnswered = true
    timer?.cancel()
    timer = nil
    if hasPlace { posts.end() }
    hasPlace = false
  }
}

/// The posts of one event loop on their way: how many there may be, and the calls by which they go to their services.
///
/// Unchecked Sendable: used on its loop only.
final class WebhookPosts: @unchecked Sendable {
  /// Posts under way at once on a loop: at most that many bodies are held.
  static let maximumUnderWay = 64
  /// Posts that may come to a loop in a second on the average, and at once.
  static let rate = (second: 500.0, burst: 1_000.0)

  private let upstreams: UpstreamConnections
  private let loop: EventLoop
  private var channels: [String: (pool: ConnectionPool, channel: ClientChannel)] = [:]
  private var underWay = 0
  private var budget = WebhookPosts.rate.burst
  private var last: UInt64 = 0

  init(_ upstreams: UpstreamConnections, loop: EventLoop) {
    (self.upstreams, self.loop) = (upstreams, loop)
  }

  /// Lets go of channels to services that are not there any more.
  func forgetGone() { channels = channels.filter { serves($0.key) } }

  func serves(_ service: String) -> Bool { upstreams.connections(toServiceNamed: service) != nil }

  /// Takes a place; false if there is none.
  func begin(at nanoseconds: UInt64) -> Bool {
    let seconds = Double(nanoseconds > last ? nanoseconds - last : 0) / 1e9
    last = nanoseconds
    budget = min(Self.rate.burst, budget + seconds * Self.rate.second)
    guard underWay < Self.maximumUnderWay, budget >= 1 else { return false }
    underWay += 1
    budget -= 1
    return true
  }

  func end() { underWay -= 1 }

  func pass(
    _ request: ReceiveWebhookRequest, to service: String, clock: any Clock
  ) async -> Result<ReceiveWebhookResponse, RPCError> {
    guard let channel = channel(to: service) else {
      return .failure(RPCError(.unimplemented, "there is no service \(service)"))
    }
    var options = CallOptions(deadline: Deadline(after: WebhookPost.patience, clock: clock))
    // The gateway speaks for itself here: nobody has called it.
    options.metadata.add(CallerMetadata.name, gatewayName)
    options.metadata.add(CallerMetadata.role, serviceRole)
    do {
      return .success(try await WebhookSourceServiceClient(channel: channel).receiveWebhook(request, options: options))
    } catch {
      return .failure(RPCError(converting: error))
    }
  }

  private func channel(to service: String) -> ClientChannel? {
    guard let pool = upstreams.connections(toServiceNamed: service)?.pool else { return nil }
    if let known = channels[service], known.pool === pool { return known.channel }
    let channel = ClientChannel(pool, loop: loop)
    channels[service] = (pool, channel)
    return channel
  }
}

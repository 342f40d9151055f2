import COpenSSL
import Glibc
import RPCCore

/// What an operator's question is answered with.
public struct OperatorReply: Sendable {
  /// Of HTTP: 200, 404, 503.
  public let status: Int
  /// For example "text/plain".
  public let contentType: String
  /// The content.
  public let body: String

  /// An answer in plain text, unless another type is given.
  public init(status: Int, _ body: String, contentType: String = "text/plain; charset=utf-8") {
    self.status = status
    self.contentType = contentType
    self.body = body
  }
}

/// Answers GET in plain HTTP/1.1, one request to a connection: for probes and metrics on the machine itself. It does not know who
/// asks, so it belongs on a loopback address and tells nothing that is not for everybody there.
public final class OperatorServer: Sendable {
  /// Connections at once; more are closed as they come.
  public static let maximumConnections = 64

  private let listener: LoopBound<OperatorListener>
  private let loop: EventLoop
  /// The port, also if a free one was asked for.
  public let port: Int

  /// Listens at once. `answer` is given the path.
  public init(
    host: String, port: Int, loop: EventLoop, answer: @escaping @Sendable (String) async -> OperatorReply
  ) async throws {
    let bound: (LoopBound<OperatorListener>, Int) = try await loop.run {
      let listener = try OperatorListener(host: host, port: port, loop: loop, answer: answer)
      return (LoopBound(listener, on: loop), listener.port)
    }
    (listener, self.port) = bound
    self.loop = loop
  }

  /// Listens no more; what is being answered is.
  public func stop() {
    let listener = listener
    loop.execute { listener.value.stop() }
  }
}

private final class OperatorListener: PollHandler {
  let port: Int
  private let loop: EventLoop
  private let answer: @Sendable (String) async -> OperatorReply
  fileprivate var connections = 0

  init(
    host: String, port: Int, loop: EventLoop, answer: @escaping @Sendable (String) async -> OperatorReply
  ) throws(TransportError) {
    let (descriptor, port) = try Listener.listen(host: host, port: port)
    self.port = port
    self.loop = loop
    self.answer = answer
    super.init(descriptor: descriptor)
    loop.watch(self, EPOLLIN.rawValue)
  }

  func stop() { loop.forget(self) }

  override func ready(_ events: UInt32) {
    var address = SocketAddress()
    let accepted = address.withMutablePointer { mainstay_accept(descriptor, $0, $1) }
    guard accepted >= 0 else { return }
    guard connections < OperatorServer.maximumConnections else {
      close(accepted)
      return
    }
    connections += 1
    OperatorConnection(accepted, loop: loop, listener: self, answer: answer).start()
  }
}

private final class OperatorConnection: PollHandler {
  /// Largest request with its headers, in bytes.
  private static let maximumRequestBytes = 8_192
  /// How long a request and its answer may take together.
  private static let nanoseconds: UInt64 = 10_000_000_000
  private static let reasons = [
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable",
  ]

  private let loop: EventLoop
  private let listener: OperatorListener
  private let answer: @Sendable (String) async -> OperatorReply
  private var request: [UInt8] = []
  private var unsent: ArraySlice<UInt8> = []
  private var isAnswering = false
  private var timer: LoopTimer?

  init(
    _ descriptor: Int32, loop: EventLoop, listener: OperatorListener,
    answer: @escaping @Sendable (String) async -> OperatorReply
  ) {
    self.loop = loop
    self.listener = listener
    self.answer = answer
    super.init(descriptor: descriptor)
  }

  func start() {
    loop.watch(self, EPOLLIN.rawValue)
    timer = loop.schedule(afterNanoseconds: OperatorConnection.nanoseconds) { [weak self] in self?.end() }
  }

  override func ready(_ events: UInt32) {
    if isAnswering { return send() }
    let count = recv(descriptor, loop.scratch.baseAddress, OperatorConnection.maximumRequestBytes, 0)
    guard count > 0 else {
      if count == 0 || errno != EAGAIN && errno != EINTR { end() }
      return
    }
    request += UnsafeRawBufferPointer(rebasing: loop.scratch[0..<count])
    if request.count > OperatorConnection.maximumRequestBytes { return reply(.init(status: 400, "too long\n")) }
    if isComplete { begin() }
  }

  /// Whether the empty line behind the headers has come; a body is not looked at.
  private var isComplete: Bool {
    let end = Array("\r\n\r\n".utf8)
    return request.count >= end.count
      && (0...(request.count - end.count)).contains { request[$0..<($0 + end.count)].elementsEqual(end) }
  }

  private func begin() {
    let words = String(decoding: request.prefix { $0 != 13 }, as: UTF8.self).split(separator: " ")
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return reply(.init(status: 400, "not HTTP/1.1\n")) }
    guard words[0] == "GET" else { return reply(.init(status: 405, "only GET\n")) }
    let path = String(words[1].prefix { $0 != "?" })
    loop.watch(self, 0)
    let (bound, answer) = (LoopBound(self, on: loop), answer)
    loop.spawn {
      let answered = await answer(path)
      bound.value.reply(answered)
    }
  }

  private func reply(_ reply: OperatorReply) {
    guard descriptor >= 0 else { return }
    isAnswering = true
    let body = Array(reply.body.utf8)
    let head =
      "HTTP/1.1 \(reply.status) \(OperatorConnection.reasons[reply.status] ?? "Unknown")\r\n"
      + "content-type: \(reply.contentType)\r\ncontent-length: \(body.count)\r\nconnection: close\r\n\r\n"
    unsent = (Array(head.utf8) + body)[...]
    send()
  }

  private func send() {
    while !unsent.isEmpty {
      let count = unsent.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else {
        guard errno == EAGAIN || errno == EINTR else { return end() }
        return loop.watch(self, EPOLLOUT.rawValue)
      }
      unsent = unsent.dropFirst(count)
    }
    end()
  }

  private func end() {
    guard descriptor >= 0 else { return }
    if let timer { loop.cancel(timer) }
    timer = nil
    listener.connections -= 1
    loop.forget(self)
  }
}

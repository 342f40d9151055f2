import Core
import Protobuf
import RPCCore
import RPCTransport

/// A unary call in the Connect protocol, in JSON or protobuf: its request is gathered, turned into a gRPC call, and the reply back.
/// Confined to its loop.
final class ConnectCall: HTTP2StreamHandler, CallerSide {
  let wire: StaticString = "connect"
  private let stream: HTTP2Stream
  private let request: ConnectRequest
  private let method: MethodDescriptor
  private let transcoder: JSONTranscoder
  private let maximumBytes: Int
  private let corsHeaders: [(String, String)]
  private let headers: HeaderBlock
  private var call: ForwardedCall?
  private var body: [UInt8] = []
  private var reply: [UInt8] = []
  private var replyHeaders = HeaderBlock()
  private(set) var isFinished = false

  init(
    _ stream: HTTP2Stream, _ headers: HeaderBlock, _ request: ConnectRequest, _ method: MethodDescriptor,
    transcoder: JSONTranscoder, maximumBytes: Int, cors: CORS
  ) {
    self.stream = stream
    self.headers = headers
    self.request = request
    self.method = method
    self.transcoder = transcoder
    self.maximumBytes = maximumBytes
    corsHeaders = cors.reply(to: headers)
    // Who stops in the middle of a body is cut off as one who stops in the middle of a message.
    stream.awaitsRest = true
  }

  /// Who makes the call once the request is here.
  func begin(_ call: ForwardedCall) { self.call = call }

  // MARK: from the caller

  func received(headers: HeaderBlock, endStream: Bool) {}

  func received(data: UnsafeRawBufferPointer) {
    defer { stream.consume(data.count) }
    guard !isFinished else { return }
    body += data
    if body.count > maximumBytes || !stream.keep(body.count) {
      answer(
        RPCError(.resourceExhausted, "the request has more than \(maximumBytes) bytes, or the gateway holds too many"))
    }
  }

  func receivedEnd(trailers: HeaderBlock?) {
    stream.awaitsRest = false
    guard !isFinished, let call else { return }
    do throws(RPCError) {
      let frame = try framedRequest()
      body = []
      _ = stream.keep(0)
      let inner = headers.asGRPC(path: request.path, timeoutNanoseconds: request.timeoutNanoseconds) {
        $0.starts(with: "connect-") || $0.equals("content-encoding") || $0.starts(with: "grpc-")
      }
      call.received(headers: inner, endStream: false)
      frame.withUnsafeBytes { call.received(data: $0) }
      call.receivedEnd(trailers: nil)
    } catch {
      answer(error)
    }
  }

  func becameWritable() {}

  func closed(errorCode: UInt32) {
    isFinished = true
    call?.closed(errorCode: errorCode)
    call = nil
  }

  private func framedRequest() throws(RPCError) -> [UInt8] {
    var message = request.queryMessage ?? body
    if request.isGzip {
      do throws(RPCError) {
        message = try inflated(message, maximumBytes: maximumBytes)
      } catch {
        throw error.code == .internal ? RPCError(.invalidArgument, "the request is not gzip, as it says") : error
      }
    }
    if request.codec == .json {
      do throws(JSONFailure) {
        message = try transcoder.encode(json: message, as: method.requestType)
      } catch {
        let violation = FieldViolation(error.path, error.reason)
        throw RPCError(.invalidArgument, error.description, details: [.badRequest([violation])])
      }
    }
    return withUnsafeBytes(of: UInt32(message.count).bigEndian) { [0] + $0 } + message
  }

  // MARK: to the caller

  /// The reply is gathered, up to its limit.
  var isCongested: Bool { false }

  func respond(_ headers: HeaderBlock, endStream: Bool) {
    if endStream { finish(trailers: headers) } else { replyHeaders = headers }
  }

  func write(_ bytes: consuming [UInt8]) {
    guard !isFinished else { return }
    reply += bytes
    if reply.count > maximumBytes + framePrefixLength || !stream.keep(reply.count) {
      answer(
        RPCError(.resourceExhausted, "the reply has more than \(maximumBytes) bytes, or the gateway holds too many"))
    }
  }

  func finish(trailers: HeaderBlock?) {
    guard !isFinished else { return }
    if let error = (trailers ?? replyHeaders).callStatus { return answer(error, trailers) }
    do throws(RPCError) {
      let message = try onlyMessage()
      var answer = HeaderBlock([(":status", "200"), ("content-type", request.codec.contentType)])
      add(trailers, to: &answer)
      send(answer, message)
    } catch {
      answer(error, trailers)
    }
  }

  /// What came was gathered: credit was given then.
  func consume(_ count: Int) {}

  func keep(_ count: Int) -> Bool { isFinished || stream.keep(count) }

  private func onlyMessage() throws(RPCError) -> [UInt8] {
    let length = reply.prefix(framePrefixLength).dropFirst().reduce(0) { $0 << 8 | Int($1) }
    guard reply.count >= framePrefixLength, reply[0] == 0, reply.count == length + framePrefixLength else {
      throw RPCError(.internal, "the service did not answer with one message")
    }
    let message = Array(reply.dropFirst(framePrefixLength))
    guard request.codec == .json else { return message }
    do throws(JSONFailure) {
      return Array(try transcoder.decode(message, as: method.responseType).utf8)
    } catch {
      throw RPCError(.internal, "the service's reply has no form in JSON: \(error)")
    }
  }

  /// Ends the call with an error.
  func answer(_ error: RPCError, _ trailers: HeaderBlock? = nil) {
    guard !isFinished else { return }
    var headers = HeaderBlock([
      (":status", String(ConnectError.httpStatus(error.code))), ("content-type", "application/json"),
    ])
    if let seconds = error.retryAfterSeconds { headers.append("retry-after", String(seconds)) }
    add(trailers, to: &headers)
    send(headers, Array(ConnectError.json(error, transcoder).utf8))
  }

  private func add(_ trailers: HeaderBlock?, to answer: inout HeaderBlock) {
    for (name, value) in corsHeaders { answer.append(name, value) }
    answer.appendMetadata(of: replyHeaders)
    if let trailers { answer.appendMetadata(of: trailers, prefix: "trailer-") }
  }

  private func send(_ headers: HeaderBlock, _ bytes: [UInt8]) {
    isFinished = true
    (body, reply) = ([], [])
    _ = stream.keep(0)
    stream.respond(headers)
    stream.write(bytes)
    stream.finish()
    let call = call
    self.call = nil
    call?.closed(errorCode: HTTP2ErrorCode.cancel)
  }
}

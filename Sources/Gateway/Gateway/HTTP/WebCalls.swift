import Identity
import Protobuf
import RPCCore
import RPCTransport
import ServiceRuntime

/// Calls in other protocols than gRPC on the same port: Connect's unary calls and gRPC-Web.
struct WebCalls: Sendable {
  let cors: CORS
  let transcoder: JSONTranscoder
  /// Bytes of a message that is gathered to be translated.
  let maximumBytes: Int

  /// Who handles a stream with these headers, with a call made by `makeCall`; nil if it is no call.
  /// `refused` hears of one that is not begun.
  func take(
    _ stream: HTTP2Stream, _ headers: HeaderBlock, routes: Routes, identity: CallerIdentity, service: String?,
    makeCall: (any CallerSide) -> ForwardedCall, refused: (MethodDescriptor?, RPCError) -> Void
  ) -> (any HTTP2StreamHandler)? {
    if let answer = cors.preflight(headers) { return HTTPRefusal(stream, answer) }
    if ConnectRequest.hasUnknownCodec(headers) { return HTTPRefusal(stream, HeaderBlock([(":status", "415")])) }
    if let call = GRPCWebCall(stream, headers, cors: cors) {
      call.begin(makeCall(call))
      return call
    }
    var called: MethodDescriptor?
    do throws(RPCError) {
      guard let request = try ConnectRequest(headers) else { return nil }
      let path = request.path
      guard let method = routes.method(path: path) else { throw routes.unimplemented(path) }
      called = method.descriptor
      guard method.descriptor.kind == .unary else {
        throw RPCError(.unimplemented, "\(path.dropFirst()) streams: call it by gRPC or gRPC-Web")
      }
      if request.queryMessage != nil, !method.allowsGet {
        throw RPCError(
          .unimplemented,
          "\(path.dropFirst()) cannot be called by GET, for it changes something or its request is sensitive: use POST")
      }
      // Who may not call sends no body in vain.
      if case .refuse(let error, _) = routes.decide(path: path, service: service, identity: identity) { throw error }
      let call = ConnectCall(
        stream, headers, request, method.descriptor, transcoder: transcoder, maximumBytes: maximumBytes, cors: cors)
      call.begin(makeCall(call))
      return call
    } catch {
      refused(called, error)
      var answer = HeaderBlock([
        (":status", String(ConnectError.httpStatus(error.code))), ("content-type", "application/json"),
      ])
      for (name, value) in cors.reply(to: headers) { answer.append(name, value) }
      return HTTPRefusal(stream, answer, Array(ConnectError.json(error, transcoder).utf8))
    }
  }
}

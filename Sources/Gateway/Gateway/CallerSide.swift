import RPCTransport

/// The caller's end of a forwarded call: a gRPC stream, or another protocol that is turned into one. Confined to its loop.
protocol CallerSide: AnyObject {
  /// How the caller speaks, as logs name it.
  var wire: StaticString { get }
  /// Whether more is queued than the caller takes.
  var isCongested: Bool { get }
  /// Whether the end of the reply is queued.
  var isFinished: Bool { get }
  /// Sends the headers of the reply: all of it, if they are the end.
  func respond(_ headers: HeaderBlock, endStream: Bool)
  /// Sends a piece of the reply's messages, with their prefixes.
  func write(_ bytes: consuming [UInt8])
  /// Ends the reply with gRPC's trailers.
  func finish(trailers: HeaderBlock?)
  /// Gives the caller credit for so many bytes of its request.
  func consume(_ count: Int)
  /// Says how many bytes of the request are kept for another attempt; false if that is more than can be borne.
  func keep(_ count: Int) -> Bool
}

extension HTTP2Stream: CallerSide {
  var wire: StaticString { "grpc" }
}

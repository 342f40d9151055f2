import Core
import Protobuf
import RPCCore
import RPCReflection
import RPCTransport

/// A call of the mix, ready to be sent: what can be made once is made once.
struct PreparedCall: Sendable {
  let headers: HeaderBlock
  let weight: Int
  private let method: CallableMethod
  private let request: RequestText
  /// The request on the wire, if all calls have the same one.
  private let frame: [UInt8]?

  /// Reads the request once, so that a wrong one is told before the first call.
  init(_ entry: CallMix.Entry, method: CallableMethod, authority: String, timeout: String, metadata: Metadata)
    throws(LoadFailure)
  {
    guard method.descriptor.kind == .unary else {
      throw .usage("\(entry.method) is a stream; only methods with one request and one reply are called")
    }
    self.method = method
    weight = entry.weight
    request = entry.request
    var headers = HeaderBlock([
      (":method", "POST"), (":scheme", "https"), (":path", method.descriptor.path), (":authority", authority),
      ("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "mainstay-load"),
      ("grpc-timeout", timeout),
    ])
    for pair in metadata.entries { headers.append(name: pair.key.utf8, value: pair.value) }
    self.headers = headers
    var random = SeededGenerator(seed: 0)
    let first = try PreparedCall.framed(request.filled(counter: 0, random: &random), method)
    frame = request.isConstant ? first : nil
  }

  /// The request of the call with this number. A filled text that is no message (a number that does not fit) gives nil.
  func frame(counter: Int, random: inout SeededGenerator) -> [UInt8]? {
    if let frame { return frame }
    return try? PreparedCall.framed(request.filled(counter: counter, random: &random), method)
  }

  /// The message behind gRPC's prefix.
  private static func framed(_ json: String, _ method: CallableMethod) throws(LoadFailure) -> [UInt8] {
    let message: [UInt8]
    do throws(JSONFailure) {
      message = try method.transcoder.encode(json: Array(json.utf8), as: method.descriptor.requestType)
    } catch {
      throw .usage("the request is no \(method.descriptor.requestType): \(error)")
    }
    guard let length = UInt32(exactly: message.count) else { throw .usage("the request is larger than 4 GiB") }
    return [0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * $0)) } + message
  }
}

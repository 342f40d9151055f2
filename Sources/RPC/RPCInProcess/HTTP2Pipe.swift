import RPCTransport

/// Two HTTP/2 connections joined by memory. It carries bytes when it is told to and knows neither loop nor clock, so that a
/// simulation can drive it turn by turn.
public struct HTTP2Pipe {
  /// What a turn came to.
  public enum Outcome: Equatable, Sendable {
    /// Neither end has anything to say.
    case idle
    /// Bytes were carried; there may be more.
    case carried
    /// An end gave up, in words; no more can be carried.
    case broken(String)
  }

  /// Bytes carried each way in one turn, after which the tasks of both ends get to run. The last piece may go over it by
  /// less than one frame.
  public static let bytesPerTurn = 65_536
  /// Room for the largest piece of output: a full frame of 16,384 bytes and its header.
  private static let pieceBytes = 32_768

  /// The end that opens streams.
  public let client: HTTP2Connection
  /// The end that answers them.
  public let server: HTTP2Connection

  /// Two fresh connections; nil if there is no memory.
  public init?(
    clientLimits: HTTP2Limits = .init(), serverLimits: HTTP2Limits = .init(), serverBudget: ByteBudget = .process
  ) {
    guard let client = HTTP2Connection(role: .client, limits: clientLimits),
      let server = HTTP2Connection(role: .server, limits: serverLimits, budget: serverBudget)
    else { return nil }
    self.client = client
    self.server = server
  }

  /// One turn: carries what each end has to say to the other, the client first, at most `bytesPerTurn` each way.
  public func pump() -> Outcome {
    withUnsafeTemporaryAllocation(byteCount: HTTP2Pipe.pieceBytes, alignment: 16) { buffer in
      let forth = carry(from: client, to: server, buffer)
      if case .broken = forth { return forth }
      let back = carry(from: server, to: client, buffer)
      return back == .idle ? forth : back
    }
  }

  /// Whether both ends have said all and want to hear no more.
  public var isDone: Bool { client.isDone || server.isDone }

  /// Cuts the pipe: all streams of both ends end.
  public func cut(_ reason: String) {
    server.abort(reason)
    client.abort(reason)
  }

  private func carry(
    from sender: HTTP2Connection, to receiver: HTTP2Connection, _ buffer: UnsafeMutableRawBufferPointer
  ) -> Outcome {
    var carried = 0
    while carried < HTTP2Pipe.bytesPerTurn {
      guard let count = sender.nextOutput(buffer) else { return .broken("the \(sender.role) gave up the connection") }
      if count == 0 { break }
      carried += count
      guard receiver.receive(UnsafeRawBufferPointer(rebasing: buffer[0..<count])) else {
        return .broken("the \(sender.role) broke the HTTP/2 protocol")
      }
    }
    return carried == 0 ? .idle : .carried
  }
}

import ArgumentParser
import Glibc
import Protobuf
import RPCCore
import RPCReflection
import RPCTransport

/// mainstay call.
struct CallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call",
    abstract: "Calls any method with JSON and prints the replies as JSON.",
    discussion: """
      The request is JSON on the command line, in a file (@FILE) or on standard input (-). Requests of a streaming method are
      one JSON object per line of standard input, with --stream. Replies are printed as they come; each on one line if there
      can be many.

      Examples:
        mainstay call mainstay.customer.v1.CustomerService/ListCustomers '{"pageSize": 3}'
        mainstay call mainstay.customer.v1.CustomerService/GetCustomer '{"customerId": "cus_…"}' --deadline 5s
        mainstay call grpc.health.v1.Health/Check --service customer
        mainstay call mainstay.platform.v1.EventService/Subscribe '{"untilCaughtUp": true}' --service customer
        mainstay call mainstay.customer.v1.CustomerService/ImportParties --stream < requests.jsonl
      """)

  /// Layout of the replies.
  enum Layout: String, ExpressibleByArgument, CaseIterable, Sendable {
    case json, lines
  }

  @OptionGroup var connection: ConnectionOptions
  @Argument(help: "PACKAGE.SERVICE/METHOD.") var method: String
  @Argument(help: "The request as JSON, @FILE, or - for standard input; {} without it.") var request: String?
  @Flag(help: "Read requests from standard input, one JSON object per line.") var stream = false
  @Option(name: .customLong("metadata"), help: "KEY=VALUE to send along; may be repeated.") var pairs: [String] = []
  @Option(help: "Which service shall answer what every service has: health, reflection, events.") var service: String?
  @Flag(help: "Ask the server for the method's description, even if it is known here.") var reflection = false
  @Option(help: "json: over several lines; lines: a line per reply. Without it lines for streams.") var format: Layout?

  func validate() throws {
    if stream, request != nil { throw ValidationError("--stream reads standard input; leave the request out.") }
    for pair in pairs where !pair.contains("=") { throw ValidationError("--metadata \(pair) is not KEY=VALUE.") }
  }

  func run() throws {
    let metadata = metadata()
    let body = try stream ? nil : requestBytes()
    let (name, onlyReflection, format) = (method, reflection, format)
    try connection.withSession { session in
      let lookup = MethodLookup(
        channel: session.channel, address: "\(session.address)", options: session.unaryOptions(metadata))
      let method = try await lookup.find(name, onlyReflection: onlyReflection)
      let isStream = method.descriptor.kind != .unary
      let options = isStream ? session.streamOptions(metadata) : session.unaryOptions(metadata)
      let call = try await session.channel.open(method.descriptor, options)
      let pretty = format.map { $0 == .json } ?? !method.descriptor.kind.serverStreams
      let replies = ReplyPrinter(method: method, pretty: pretty)
      if let body {
        try await call.send(framed: try CallCommand.frame(body, method))
        call.finishSending()
        try await replies.printAll(call)
      } else {
        guard method.descriptor.kind.clientStreams else {
          throw CommandFailure.usage("\(name) takes one request; leave --stream out")
        }
        try await StreamedRequests(method: method, session: session).run(call, replies)
      }
    }
  }

  private func metadata() -> Metadata {
    var metadata = Metadata()
    if let service { metadata.add("mainstay-service", service) }
    for pair in pairs {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      metadata.add(String(parts[0]), String(parts[1]))
    }
    return metadata
  }

  private func requestBytes() throws -> [UInt8] {
    switch request {
    case nil: return Array("{}".utf8)
    case "-"?: return try Files.read(STDIN_FILENO, name: "standard input")
    case let text? where text.hasPrefix("@"): return try Files.read(String(text.dropFirst()))
    case let text?: return Array(text.utf8)
    }
  }

  /// The message behind room for gRPC's prefix.
  static func frame(_ json: [UInt8], _ method: CallableMethod) throws -> [UInt8] {
    do {
      let message = try method.transcoder.encode(json: json, as: method.descriptor.requestType)
      return [UInt8](repeating: 0, count: framePrefixLength) + message
    } catch {
      throw CommandFailure.usage("the request is no \(method.descriptor.requestType): \(error)")
    }
  }
}

/// Prints replies as they come.
struct ReplyPrinter {
  let method: CallableMethod
  let pretty: Bool

  /// All replies of a call; throws its status if it is not OK.
  func printAll(_ call: ClientCall) async throws {
    while let message = try await call.receive() {
      do {
        printLine(try method.transcoder.decode(message, as: method.descriptor.responseType, pretty: pretty))
      } catch {
        throw CommandFailure("a reply is no \(method.descriptor.responseType): \(error)")
      }
    }
  }
}

/// Sends the lines of standard input as requests while replies are printed.
struct StreamedRequests {
  let method: CallableMethod
  let session: Session

  func run(_ call: ClientCall, _ replies: ReplyPrinter) async throws {
    // Reading waits for the person, which must not hold up the loop of the connection.
    let reading = try EventLoop()
    defer { reading.stop() }
    let lines = InputLines(loop: reading)
    let (method, loop) = (method, session.loop)
    let sender = CallSender(call)
    let failure = SendFailure()
    let sending = loop.spawn {
      do {
        while let line = try await lines.next() {
          try await sender.call.send(framed: try CallCommand.frame(line, method))
        }
        sender.call.finishSending()
      } catch {
        failure.error = error
        sender.call.cancel()
      }
    }
    do {
      try await replies.printAll(call)
      sending.cancel()
    } catch {
      sending.cancel()
      throw failure.error ?? error
    }
  }
}

/// Unchecked Sendable: named by two tasks of one event loop.
private final class CallSender: @unchecked Sendable {
  let call: ClientCall
  init(_ call: ClientCall) { self.call = call }
}

/// Unchecked Sendable: named by two tasks of one event loop.
private final class SendFailure: @unchecked Sendable {
  var error: (any Error)?
}

/// Unchecked Sendable: the reader is used on its own loop only.
private final class InputLines: @unchecked Sendable {
  private let loop: EventLoop
  private let reader = LineReader(STDIN_FILENO)

  init(loop: EventLoop) { self.loop = loop }

  func next() async throws -> [UInt8]? { try await loop.run { [self] in try reader.next() } }
}

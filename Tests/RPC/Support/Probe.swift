import RPCCore
import RPCTransport

/// The service that the tests call, in bytes: requests and replies are text or filling.
struct Probe: Sendable {
  static func method(_ name: String, _ kind: CallKind) -> MethodDescriptor {
    MethodDescriptor(service: "test.Probe", name: name, kind: kind)
  }

  /// Gives the request back.
  static let echo = method("Echo", .unary)
  /// Gives the request back and counts it in `executions`.
  static let once = method("Once", .unary)
  /// Throws what `failures` has under the request's text.
  static let fail = method("Fail", .unary)
  /// Gives back all metadata that begins with "x-", before and after the reply, which is the peer's name.
  static let mirror = method("Mirror", .unary)
  /// Milliseconds until the deadline.
  static let remaining = method("Remaining", .unary)
  /// Notes "started", sleeps until it is cancelled and notes "cancelled".
  static let hang = method("Hang", .bidirectional)
  /// Notes "started" and waits for `release`, whatever happens.
  static let block = method("Block", .unary)
  /// Number and size of the requests, as "count bytes".
  static let sum = method("Sum", .clientStreaming)
  /// For "count bytes" so many replies of that size.
  static let fill = method("Fill", .serverStreaming)
  /// Gives each request back.
  static let chat = method("Chat", .bidirectional)
  /// Notes "started", reads until the end and then notes how that ended, as "read: OK"; answers OK whatever it was.
  static let reader = method("Reader", .clientStreaming)
  /// For "initial bytes", "trailing bytes" or "error bytes" so much metadata before the reply, behind it, or with an error.
  static let burden = method("Burden", .unary)
  /// Says of each request whether it came compressed and gives it back, compressed if the client takes that.
  static let squeeze = method("Squeeze", .bidirectional)
  /// Reads its request, counts it in `executions` and waits for `release`.
  static let readAndBlock = method("ReadAndBlock", .unary)
  /// Notes "started", reads nothing until `release`, then as `sum`.
  static let slowSum = method("SlowSum", .clientStreaming)

  struct Unforeseen: Error {}

  static let failures: [String: any Error] = [
    "violations": RPCError.badRequest([
      FieldViolation("party.person.birth_date", "must be a day that exists"), FieldViolation("", "empty 請求"),
    ]),
    "unicode": RPCError(.notFound, "100% \t weg: ☺ 😈\n%41"),
    "long": RPCError(
      .aborted, String(repeating: "😈", count: 5_000),
      details: [.badRequest([FieldViolation("f", String(repeating: "長", count: 1_000))])]),
    "metadata": {
      var error = RPCError(.aborted, "")
      error.metadata.add("x-reason", "because")
      return error
    }(),
    "unforeseen": Unforeseen(),
  ]

  let loops: EventLoopGroup
  let notes = Notes()
  let release = Notes()
  let executions = Tally()

  var router: Router { Router(unaryBindings + streamingBindings + otherBindings) }

  private var unaryBindings: [MethodBinding] {
    let (loops, notes, release, executions) = (loops, notes, release, executions)
    return [
      MethodBinding(Probe.once) { call async throws in
        let request = try call.receiveOnly()
        executions.add(text(request))
        try await call.send(framed: framed(request))
      },
      MethodBinding(Probe.echo) { call in try await call.send(framed: framed(try call.receiveOnly())) },
      MethodBinding(Probe.fail) { call in
        throw Probe.failures[text(try call.receiveOnly())] ?? RPCError(.unknown, "no such failure")
      },
      MethodBinding(Probe.mirror) { call in
        _ = try call.receiveOnly()
        for entry in call.context.metadata.entries where entry.key.hasPrefix("x-") {
          call.context.initialMetadata.addBinary(entry.key, entry.value)
          call.context.trailingMetadata.addBinary(entry.key, entry.value)
        }
        try await call.send(framed: framed(call.context.peer.certificate?.commonName ?? "-"))
      },
      MethodBinding(Probe.remaining) { call async throws in
        let now = loops.first.clock.monotonicNanoseconds()
        let left = call.context.deadline.map { "\($0.remainingNanoseconds(at: now) / 1_000_000)" }
        try await call.send(framed: framed(left ?? "none"))
      },
      MethodBinding(Probe.block) { call async throws in
        notes.note("started")
        _ = await release.next()
        try await call.send(framed: framed("released"))
      },
    ]
  }

  private var streamingBindings: [MethodBinding] {
    let (loops, notes, release) = (loops, notes, release)
    return [
      MethodBinding(Probe.hang) { call async throws in
        notes.note("started")
        do {
          try await loops.current?.sleep(for: .seconds(3_600))
        } catch {
          notes.note("cancelled")
          throw error
        }
      },
      MethodBinding(Probe.sum) { try await Probe.answerSum($0) },
      MethodBinding(Probe.slowSum) { call async throws in
        notes.note("started")
        _ = await release.next()
        try await Probe.answerSum(call)
      },
      MethodBinding(Probe.fill) { call async throws in
        let numbers = text(try call.receiveOnly()).split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 2, (0...100_000).contains(numbers[0]), (0...5_000_000).contains(numbers[1]) else {
          throw RPCError.badRequest([FieldViolation("", "COUNT BYTES")])
        }
        let message = framed([UInt8](repeating: 7, count: numbers[1]))
        call.context.compressesReplies = true
        do {
          for _ in 0..<numbers[0] { try await call.send(framed: message) }
        } catch {
          notes.note("cancelled")
          throw error
        }
      },
      MethodBinding(Probe.chat) { call in
        while let message = try await call.receive() { try await call.send(framed: framed(message)) }
      },
    ]
  }

  private var otherBindings: [MethodBinding] {
    let (notes, release, executions) = (notes, release, executions)
    return [
      MethodBinding(Probe.reader) { call async throws in
        notes.note("started")
        do {
          while try await call.receive() != nil {}
          notes.note("read: OK")
        } catch { notes.note("read: \(RPCError(converting: error).code)") }
        try await call.send(framed: framed("done"))
      },
      MethodBinding(Probe.squeeze) { call in
        call.context.compressesReplies = true
        while let message = try await call.receive() {
          let text = message.isEmpty ? "" : "\(call.context.lastRequestWasCompressed) "
          try await call.send(framed: framed(Array(text.utf8) + message))
        }
      },
      MethodBinding(Probe.burden) { call async throws in
        let words = text(try call.receiveOnly()).split(separator: " ")
        let value = String(repeating: "a", count: words.last.flatMap { Int($0) } ?? 0)
        var error = RPCError(.aborted, "as asked")
        switch words.first {
        case "initial": call.context.initialMetadata.add("x-large", value)
        case "trailing": call.context.trailingMetadata.add("x-large", value)
        default:
          error.metadata.add("x-large", value)
          throw error
        }
        try await call.send(framed: framed("sent"))
      },
      MethodBinding(Probe.readAndBlock) { call async throws in
        let request = try call.receiveOnly()
        executions.add("\(request.count)")
        _ = await release.next()
        try await call.send(framed: framed("released"))
      },
    ]
  }

  private static func answerSum(_ call: ServerCall) async throws {
    var (count, bytes) = (0, 0)
    while let message = try await call.receive() {
      count += 1
      bytes += message.count
    }
    try await call.send(framed: framed("\(count) \(bytes)"))
  }
}

/// A message with room for its prefix.
func framed(_ bytes: [UInt8]) -> [UInt8] { [0, 0, 0, 0, 0] + bytes }

/// A text message with room for its prefix.
func framed(_ text: String) -> [UInt8] { framed(Array(text.utf8)) }

func text(_ bytes: [UInt8]?) -> String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "nil" }

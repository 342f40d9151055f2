import Glibc
import RPCCore
import RPCTransport

/// The server's methods. It keeps count of each call, by the number that its requests carry. Confined to the loop.
///
/// Unchecked Sendable: its handlers run on that loop only.
final class SimulatedService: @unchecked Sendable {
  static let methods: [CallKind: MethodDescriptor] = [
    .unary: MethodDescriptor(service: "simulation.Calls", name: "Unary", kind: .unary),
    .clientStreaming: MethodDescriptor(service: "simulation.Calls", name: "Gather", kind: .clientStreaming),
    .serverStreaming: MethodDescriptor(service: "simulation.Calls", name: "Tell", kind: .serverStreaming),
    .bidirectional: MethodDescriptor(service: "simulation.Calls", name: "Talk", kind: .bidirectional),
  ]
  /// The status of a call that is to fail.
  static let failure = StatusCode.failedPrecondition

  private let plans: [CallPlan]
  private let loop: EventLoop
  /// How often each call's handler has begun to work.
  private(set) var begun: [Int]
  /// Handlers that run.
  private(set) var running = 0
  /// What no peer may have sent.
  private(set) var faults: [String] = []

  init(_ plans: [CallPlan], loop: EventLoop) {
    self.plans = plans
    self.loop = loop
    begun = [Int](repeating: 0, count: plans.count)
  }

  var router: Router {
    Router(SimulatedService.methods.values.map { MethodBinding($0, counted) })
  }

  private func counted(_ call: ServerCall) async throws {
    running += 1
    defer { running -= 1 }
    try await handle(call)
  }

  private func handle(_ call: ServerCall) async throws {
    guard let text = call.context.metadata.first("x-call"), let id = Int(text), plans.indices.contains(id) else {
      faults.append("a call without a number")
      return
    }
    let plan = plans[id]
    begun[id] += 1
    switch call.method.kind {
    case .unary, .serverStreaming:
      check(try call.receiveOnly(), plan, 0)
      try await prepare(plan)
      for sequence in 0..<plan.replies { try await reply(call, plan, sequence) }
    case .clientStreaming:
      var sequence = 0
      while let request = try await call.receive() {
        check(request, plan, sequence)
        try breakOff(plan)
        sequence += 1
      }
      if sequence != plan.requests { faults.append("call \(id): \(sequence) requests instead of \(plan.requests)") }
      try await prepare(plan)
      try await reply(call, plan, 0)
    case .bidirectional:
      try await prepare(plan)
      var sequence = 0
      while let request = try await call.receive() {
        check(request, plan, sequence)
        try await reply(call, plan, sequence)
        sequence += 1
      }
    }
  }

  private func prepare(_ plan: CallPlan) async throws {
    switch plan.answer {
    case .reply, .breakOff: break
    case .fail: throw RPCError(SimulatedService.failure, "as planned")
    case .hang: try await loop.sleep(for: .seconds(100_000))
    case .late(let nanoseconds): try await loop.sleep(for: .nanoseconds(Int64(nanoseconds)))
    }
  }

  private func reply(_ call: ServerCall, _ plan: CallPlan, _ sequence: Int) async throws {
    try await call.send(framed: SimulatedMessage.framed(plan.id, sequence, filling: plan.replyBytes))
    try breakOff(plan)
  }

  private func breakOff(_ plan: CallPlan) throws {
    if plan.isBrokenOff { throw RPCError(SimulatedService.failure, "broken off as planned") }
  }

  private func check(_ request: [UInt8], _ plan: CallPlan, _ sequence: Int) {
    if let fault = SimulatedMessage.fault(request, plan.id, sequence, filling: plan.requestBytes) {
      faults.append("call \(plan.id), request \(sequence): \(fault)")
    }
  }
}

/// Messages that say which they are: whose call, which in its order, and bytes that follow from both.
enum SimulatedMessage {
  private static let headLength = 16

  /// With room for the frame's prefix.
  static func framed(_ id: Int, _ sequence: Int, filling: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: filler(id, sequence), count: framePrefixLength + headLength + filling)
    bytes.withUnsafeMutableBytes { buffer in
      buffer.storeBytes(of: Int64(id), toByteOffset: framePrefixLength, as: Int64.self)
      buffer.storeBytes(of: Int64(sequence), toByteOffset: framePrefixLength + 8, as: Int64.self)
    }
    return bytes
  }

  /// What is wrong with a message that should be this one.
  static func fault(_ message: [UInt8], _ id: Int, _ sequence: Int, filling: Int) -> String? {
    guard message.count == headLength + filling else {
      return "\(message.count) bytes instead of \(headLength + filling)"
    }
    return message.withUnsafeBytes { buffer in
      let numbers = [0, 8].map { buffer.loadUnaligned(fromByteOffset: $0, as: Int64.self) }
      guard numbers == [Int64(id), Int64(sequence)] else { return "it is message \(numbers[1]) of call \(numbers[0])" }
      // memcmp, because debug builds look at single bytes slowly: each byte is like the one before it.
      guard filling > 0, let start = buffer.baseAddress?.advanced(by: headLength) else { return nil }
      let isRight = buffer[headLength] == filler(id, sequence) && memcmp(start, start + 1, filling - 1) == 0
      return isRight ? nil : "its bytes have changed"
    }
  }

  private static func filler(_ id: Int, _ sequence: Int) -> UInt8 { UInt8(truncatingIfNeeded: id &* 31 &+ sequence) }
}

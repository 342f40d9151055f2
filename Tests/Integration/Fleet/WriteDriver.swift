import API
import Core
import RPCCore

/// Writes through RPC, many at once, each with a request_id, and keeps a ledger of what was acknowledged. What is not acknowledged
/// is asked again with the same request_id until it is; every few writes one is asked again though it was.
struct WriteDriver: Sendable {
  /// A write that is not acknowledged for so long is a fault.
  private static let patience = Duration.seconds(120)
  /// Longer than a service waits for a database server that restarts.
  private static let timeout = Duration.seconds(20)
  private static let pause = Duration.milliseconds(20)
  /// Every so many writes of a chain.
  private static let repetition = 7
  private static let day = CalendarDate(year: 2_026, month: 1, day: 5)

  let channels: FleetChannels
  let ledger: Ledger
  /// An agent needs one; empty without an agent service.
  let branch: String

  /// A driver of the services that there are.
  init(_ channels: FleetChannels, _ ledger: Ledger) async throws {
    (self.channels, self.ledger) = (channels, ledger)
    guard channels.services.contains("agent") else {
      branch = ""
      return
    }
    let client = AgentServiceClient(channel: channels["agent"])
    let created = try await channels.run {
      try await WriteDriver.settle("branch", channels, ledger) { options in
        try await client.createBranch(
          CreateBranchRequest(branch: Branch(code: "D", name: "Branch", region: "广东省"), requestID: "branch"),
          options: options)
      }
    }
    branch = created.branchID
    ledger.note("agent", branch)
  }

  /// Writes until it is told to stop, and until all of it is acknowledged. Names must not have been used before.
  func run(_ name: String, until stop: Stop) async throws {
    try await channels.run {
      try await withThrowingTaskGroup(of: Void.self) { group in
        if channels.services.contains("customer") {
          for number in 0..<3 { group.addTask { try await parties("\(name)-party-\(number)", until: stop) } }
          for number in 0..<2 { group.addTask { try await policies("\(name)-policy-\(number)", until: stop) } }
          group.addTask { try await imports("\(name)-import", until: stop) }
        }
        if channels.services.contains("agent") {
          for number in 0..<2 { group.addTask { try await agents("\(name)-agent-\(number)", until: stop) } }
          for number in 0..<2 { group.addTask { try await activities("\(name)-visits-\(number)", until: stop) } }
        }
        if channels.services.contains("partner") {
          for number in 0..<2 { group.addTask { try await products("\(name)-product-\(number)", until: stop) } }
        }
        try await group.waitForAll()
      }
    }
  }

  // MARK: - Chains

  private func parties(_ name: String, until stop: Stop) async throws {
    let client = CustomerServiceClient(channel: channels["customer"])
    let party = try await createParty(name)
    try await change(name, until: stop) { number, id, options in
      let asked = Party(partyID: party.partyID, phones: ["\(number)"])
      return try await client.updateParty(
        UpdatePartyRequest(party: asked, updateMask: GoogleFieldMask(paths: ["phones"]), requestID: id),
        options: options)
    } taken: { number, changed in
      ledger.note("customer", party.partyID)
      ledger.notePhone("\(number)", of: party.partyID)
      return changed.phones == ["\(number)"]
    }
  }

  private func createParty(_ name: String) async throws -> Party {
    let client = CustomerServiceClient(channel: channels["customer"])
    let asked = Party(source: "driver", sourceKey: name, kind: .person(Person(familyName: "Li", givenName: "Ming")))
    let party = try await write(name, 0) { id, options in
      try await client.createParty(CreatePartyRequest(party: asked, requestID: id), options: options)
    }
    ledger.note("customer", party.partyID)
    return party
  }

  /// In force and in grace by turns: done twice, a change is refused.
  private func policies(_ name: String, until stop: Stop) async throws {
    let client = PolicyServiceClient(channel: channels["customer"])
    var asked = Policy()
    (asked.source, asked.sourceKey) = ("driver", name)
    asked.policyholderPartyID = try await createParty("\(name)-holder").partyID
    (asked.productCode, asked.channel, asked.state, asked.issueDate) = ("LIFE", .online, .inForce, Self.day)
    let policy = asked
    let created = try await write(name, 0) { id, options in
      try await client.createPolicy(CreatePolicyRequest(policy: policy, requestID: id), options: options)
    }
    ledger.note("customer", created.policyID)
    let states = [PolicyState.inForce, .grace]
    try await change(name, until: stop) { number, id, options in
      try await client.changePolicyState(
        ChangePolicyStateRequest(
          policyID: created.policyID, state: states[number % 2], effectiveDate: Self.day, requestID: id),
        options: options)
    } taken: { number, changed in
      ledger.note("customer", created.policyID)
      return changed.state == states[number % 2]
    }
  }

  private func createAgent(_ name: String) async throws -> String {
    let client = AgentServiceClient(channel: channels["agent"])
    var asked = Agent()
    (asked.code, asked.name, asked.type, asked.branchID, asked.joinDate) = (name, "Agent", .own, branch, Self.day)
    let agent = asked
    let created = try await write(name, 0) { id, options in
      try await client.createAgent(CreateAgentRequest(agent: agent, requestID: id), options: options)
    }
    ledger.note("agent", created.agentID)
    return created.agentID
  }

  private func agents(_ name: String, until stop: Stop) async throws {
    let client = AgentServiceClient(channel: channels["agent"])
    let agent = try await createAgent(name)
    let states = [AgentState.active, .suspended]
    try await change(name, until: stop) { number, id, options in
      try await client.changeAgentState(
        ChangeAgentStateRequest(agentID: agent, state: states[number % 2], effectiveDate: Self.day, requestID: id),
        options: options)
    } taken: { number, changed in
      ledger.note("agent", agent)
      return changed.state == states[number % 2]
    }
  }

  /// Nothing but the request_id tells a second one from the first.
  private func activities(_ name: String, until stop: Stop) async throws {
    let client = AgentServiceClient(channel: channels["agent"])
    var visit = Activity()
    (visit.agentID, visit.kind) = (try await createAgent(name), .visit)
    visit.activityTime = GoogleTimestamp(seconds: 1_790_000_000, nanos: 0)
    let activities = [visit, visit]
    try await change(name, until: stop) { _, id, options in
      try await client.recordActivities(
        RecordActivitiesRequest(activities: activities, requestID: id), options: options)
    } taken: { _, recorded in
      for activity in recorded.activityIDs { ledger.note("agent", activity) }
      return recorded.activityIDs.count == activities.count
    }
  }

  private func products(_ name: String, until stop: Stop) async throws {
    let code = name.uppercased()
    var partner = Partner()
    (partner.code, partner.name, partner.kind, partner.contractFrom) = (code, "Bank", .bank, Self.day)
    let bank = partner
    let created = try await write(name, 0) { id, options in
      try await PartnerServiceClient(channel: channels["partner"]).createPartner(
        CreatePartnerRequest(partner: bank, requestID: id), options: options)
    }
    ledger.note("partner", created.partnerID)
    let client = ProductServiceClient(channel: channels["partner"])
    var asked = Product()
    (asked.code, asked.name, asked.line) = (code, "Life", .wholeLife)
    asked.versions = [ProductVersion(version: 0, from: Self.day, description: "")]
    let first = asked
    let product = try await write("\(name)-life", 0) { id, options in
      try await client.createProduct(CreateProductRequest(product: first, requestID: id), options: options)
    }
    ledger.note("partner", product.productID)
    func windows(_ number: Int) -> [SaleWindow] {
      let from = CalendarDate(year: 2_026 + Int32(number / 28), month: 1, day: Int32(number % 28) + 1)
      return [SaleWindow(channel: .online, from: from)]
    }
    try await change(name, until: stop) { number, id, options in
      try await client.setSaleWindows(
        SetSaleWindowsRequest(productID: product.productID, saleWindows: windows(number), requestID: id),
        options: options)
    } taken: { number, changed in
      ledger.note("partner", product.productID)
      return changed.saleWindows == windows(number)
    }
  }

  /// One change after another; each must be answered with what it asked for.
  private func change<Reply: Equatable & Sendable>(
    _ name: String, until stop: Stop, _ ask: (Int, String, CallOptions) async throws -> Reply,
    taken: (Int, Reply) -> Bool
  ) async throws {
    var number = 0
    while !stop.isRaised {
      number += 1
      let reply = try await write("\(name)-\(number)", number) { id, options in try await ask(number, id, options) }
      if !taken(number, reply) { ledger.noteFault("\(name)-\(number) is answered by \(reply)") }
    }
  }

  /// One request of rows after another over a stream; a stream that breaks is begun anew with the rows that were not answered.
  private func imports(_ source: String, until stop: Stop) async throws {
    let client = CustomerServiceClient(channel: channels["customer"])
    var number = 0
    while !stop.isRaised {
      let first = number
      number = try await WriteDriver.settle(source, channels, ledger) { options in
        let stream = try await client.importParties(options: options)
        var number = first
        while !stop.isRaised {
          let keys = (0..<20).map { "k\(number + $0)" }
          let rows = keys.enumerated().map { line, key in
            ImportPartyRow(
              line: Int64(line + 1),
              party: Party(sourceKey: key, kind: .person(Person(familyName: "Wang", givenName: key))))
          }
          try await stream.write(ImportPartiesRequest(source: source, rows: rows))
          guard let reply = try await stream.next() else { break }
          if reply.created + reply.unchanged != 20 { ledger.noteFault("\(source) \(keys): \(reply)") }
          ledger.noteImported(keys, from: source)
          number += 20
        }
        stream.finishSending()
        return number
      }
    }
  }

  // MARK: - Requests

  /// A write and its answer; at times asked once more, when it must be answered by the same and change nothing.
  private func write<Reply: Equatable & Sendable>(
    _ requestID: String, _ number: Int, _ call: (String, CallOptions) async throws -> Reply
  ) async throws -> Reply {
    let reply = try await WriteDriver.settle(requestID, channels, ledger) { try await call(requestID, $0) }
    if number % WriteDriver.repetition == 0 {
      let again = try await WriteDriver.settle(requestID, channels, ledger) { try await call(requestID, $0) }
      ledger.noteRepetition()
      if again != reply { ledger.noteFault("\(requestID): answered by \(again) after \(reply)") }
    }
    return reply
  }

  /// Asks until it is answered. Only "unavailable" and "too late" leave open what became of it; any other refusal is a fault.
  private static func settle<Reply>(
    _ requestID: String, _ channels: FleetChannels, _ ledger: Ledger, _ call: (CallOptions) async throws -> Reply
  ) async throws -> Reply {
    let end = ContinuousClock.now + patience
    while true {
      do { return try await call(CallOptions(timeout: timeout)) } catch {
        let failure = RPCError(converting: error)
        guard [.unavailable, .deadlineExceeded].contains(failure.code), ContinuousClock.now < end else {
          throw Refused(description: "\(requestID): \(failure)")
        }
        ledger.noteRetry()
        try await channels.loop.sleep(for: pause)
      }
    }
  }

  private struct Refused: Error, CustomStringConvertible { let description: String }
}

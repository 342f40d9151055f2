import API
import Core
import Foundation
import MainstayTesting
import RPCCore
import RPCTransport
import Synchronization
import Testing

/// Two replicas of the customer service on a PostgreSQL server, behind the gateway.
@Suite(
  .serialized, .timeLimit(.minutes(15)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct LostReplicaTests {
  private static let parties = 20
  private static let readers = 12
  private static let kills = 6
  /// Calls that are made between two kills.
  private static let callsPerKill = 200

  @Test func `Not one call that may be sent twice fails while replicas on PostgreSQL are killed`() async throws {
    let server = try await PostgresServer()
    defer { server.end() }
    let fleet = try await Fleet(["customer"], replicas: 2, on: .postgresql(server), gateway: true)
    fleet.start()
    do { try await killUnderLoad(fleet) } catch { Issue.record("\(error)\n\(fleet.endOfLogs)") }
    try await fleet.stop()
  }

  private func killUnderLoad(_ fleet: Fleet) async throws {
    let channels = try await FleetChannels(fleet, retrying: nil)
    for member in fleet.replicas { try await waitUntilServing(member, fleet, channels) }
    let made = try await create(channels)
    let (stop, book) = (Stop(), Book())
    let reading = Task {
      try await channels.run {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for reader in 0..<Self.readers { group.addTask { await read(made, reader, channels, book, until: stop) } }
          try await group.waitForAll()
        }
      }
    }
    for number in 0..<Self.kills {
      let before = book.content.calls
      let victim = fleet.replicas[number % fleet.replicas.count]
      #expect(fleet.signal(SIGKILL, victim))
      try await waitUntilServing(victim, fleet, channels)
      #expect(await eventually { book.content.calls >= before + Self.callsPerKill })
    }
    stop.raise()
    try await reading.value
    let content = book.content
    #expect(content.failures.isEmpty, "\(content.failures.count) of \(content.calls): \(content.failures.prefix(5))")
    print("\(content.calls) calls through \(Self.kills) kills")
    try await channels.close()
  }

  private func create(_ channels: FleetChannels) async throws -> [Party] {
    try await channels.run {
      let client = CustomerServiceClient(channel: channels["customer"])
      var made: [Party] = []
      for number in 0..<Self.parties {
        let party = Party(source: "desk", sourceKey: "\(number)", kind: .person(Person(familyName: "Wang")))
        made.append(
          try await client.createParty(
            CreatePartyRequest(party: party, requestID: "party-\(number)"), options: CallOptions(timeout: .seconds(60)))
        )
      }
      return made
    }
  }

  /// One reading call after the other; each must be answered, and rightly.
  private func read(
    _ made: [Party], _ reader: Int, _ channels: FleetChannels, _ book: Book, until stop: Stop
  ) async {
    let client = CustomerServiceClient(channel: channels["customer"])
    let options = CallOptions(timeout: .seconds(60))
    var number = reader
    while !stop.isRaised {
      number += 1
      do {
        let isRight: Bool
        if number % 3 == 0 {
          isRight = try await client.listParties(ListPartiesRequest(pageSize: 50), options: options).parties == made
        } else {
          let party = made[number % made.count]
          isRight = try await client.getParty(GetPartyRequest(partyID: party.partyID), options: options) == party
        }
        book.note(isRight ? nil : "a wrong answer")
      } catch {
        book.note("\(error)")
      }
    }
  }

  /// Asks the replica itself, not the gateway.
  private func waitUntilServing(_ member: Fleet.Member, _ fleet: Fleet, _ channels: FleetChannels) async throws {
    let pki = fleet.home.file("pki")
    let tls = TLSConfiguration(
      authorityPath: "\(pki)/ca.pem", certificateChainPath: "\(pki)/admin.pem", privateKeyPath: "\(pki)/admin-key.pem")
    let port = fleet.addresses(of: member.service)[member.replica - 1]
    let isServing = try await eventually(within: .seconds(120)) {
      let status = try? await channels.run {
        let channel = ClientChannel(
          host: "127.0.0.1", port: port, tls: try TLSContext(tls, role: .client), loop: channels.loop)
        defer { channel.close() }
        return try await HealthClient(channel: channel).check(
          HealthCheckRequest(), options: CallOptions(timeout: .seconds(10))
        ).status
      }
      return status == .serving
    }
    try #require(isServing, "\(member) does not serve")
  }

  /// What became of the calls.
  private final class Book: Sendable {
    private let state = Mutex((calls: 0, failures: [String]()))

    var content: (calls: Int, failures: [String]) { state.withLock { $0 } }

    func note(_ failure: String?) {
      state.withLock { state in
        state.calls += 1
        if let failure { state.failures.append(failure) }
      }
    }
  }
}

import API
import AgentDomain
import Core
import RPCCore
import Storage
import UseCases

/// A branch, team or agent as it is stored.
struct StoredRecord<Kind: IdentifierKind>: Sendable {
  let id: Core.Identifier<Kind>
  /// 1 at creation, one more with each change; also the version of its newest event.
  private(set) var version: Int64
  /// The message of the facts alone.
  private(set) var payload: [UInt8]
  let createTime: Timestamp
  private(set) var updateTime: Timestamp

  /// The columns behind the id's.
  static var columns: String { "version, payload, create_time, update_time" }

  /// The record in a row's first columns.
  init(row: Row) throws {
    id = try row.id(0)
    version = try row.integer(1)
    payload = try row.blob(2)
    createTime = try row.time(3)
    updateTime = try row.time(4)
  }

  /// A record that is to be created.
  init(_ id: Core.Identifier<Kind>, payload: [UInt8], _ recording: Recording) {
    self.id = id
    self.payload = payload
    version = 1
    createTime = recording.time
    updateTime = recording.time
  }

  /// The record after a change.
  func changed(payload: [UInt8], _ recording: Recording) -> StoredRecord {
    var record = self
    record.version += 1
    record.payload = payload
    record.updateTime = recording.time
    return record
  }

  /// What every table's row ends with.
  var values: [SQLValue] { [.integer(version), .blob(payload), .time(createTime), .time(updateTime)] }
}

extension StoredRecord where Kind == BranchKind {
  /// As callers see it.
  func message() throws -> Branch {
    var branch = try Branch(serialized: payload)
    branch.branchID = id.description
    branch.etag = Etag.encode(version)
    branch.createTime = GoogleTimestamp(createTime)
    branch.updateTime = GoogleTimestamp(updateTime)
    return branch
  }
}

extension StoredRecord where Kind == TeamKind {
  /// As callers see it.
  func message() throws -> Team {
    var team = try Team(serialized: payload)
    team.teamID = id.description
    team.etag = Etag.encode(version)
    team.createTime = GoogleTimestamp(createTime)
    team.updateTime = GoogleTimestamp(updateTime)
    return team
  }
}

extension StoredRecord where Kind == AgentKind {
  /// As callers see it.
  func message() throws -> Agent {
    var agent = try Agent(serialized: payload)
    agent.agentID = id.description
    agent.etag = Etag.encode(version)
    agent.createTime = GoogleTimestamp(createTime)
    agent.updateTime = GoogleTimestamp(updateTime)
    return agent
  }

  /// The facts.
  func facts() throws -> AgentFacts {
    var faults = ViolationList()
    let facts = AgentFacts(try Agent(serialized: payload), faults: &faults)
    guard faults.violations.isEmpty else { throw RPCError.damaged("agent \(id)") }
    return facts
  }
}

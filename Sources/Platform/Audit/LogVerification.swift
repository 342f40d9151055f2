import AuditProof
import Core
import Storage

/// Recomputes a whole log from its stored bytes, and compares: each leaf with its hash, its columns and the event that it tells of;
/// the tree with the nodes that proofs are made from; the tree with each checkpoint. It believes nothing that is stored: only
/// signatures and what was exported bind it.
public struct LogVerification {
  /// Leaves that are read at once.
  static let pageLeaves: Int64 = 2_048

  private let database: any Database
  private let hasher = MerkleHasher()
  private var report = VerificationReport()
  private var frontier = MerkleFrontier()
  private var checkpoints: [Checkpoint] = []
  private var provenSizes: [Int64] = []
  private var restorations: [(epoch: String, size: Int64)] = []
  private var eventsBefore: Int64 = 0
  private var retainedFrom: Int64 = 0
  /// Where bodies are gone: one range from the beginning on, where all went by the book.
  private var dropped: [Range<Int64>] = []
  private var groups: LeafGroups
  /// From the first to the last group of sixteen that does not fit its node: what is wrong there is told with the group.
  private var clarified: Range<Int64>?

  /// A verification of the log in a database that nobody writes to.
  public init(database: any Database) {
    self.database = database
    groups = LeafGroups(hasher)
  }

  /// Recomputes all. `notes` are checkpoints from outside the database, which must be signed with one of the keys; those that the
  /// database itself holds are taken too. `progress` is told how many leaves were read, of how many.
  public mutating func run(
    notes: [String], keys: [LogKey], progress: (Int64, Int64) -> Void = { _, _ in }
  ) async throws -> VerificationReport {
    try await takeCheckpoints(notes, keys)
    guard let log = try await database.row(Statement("SELECT size FROM audit_log")) else {
      report.add(
        "the database has no audit log: it was removed, or no service has been started on it since there is one")
      return report
    }
    let total = try log.integer(0)
    compareCheckpoints()
    while try await page() { progress(report.size, total) }
    try await compareEnd()
    report.root = frontier.root(hasher)
    return report
  }

  // MARK: Checkpoints

  private mutating func takeCheckpoints(_ notes: [String], _ keys: [LogKey]) async throws {
    var all: [(String, String)] = notes.enumerated().map { ("exported checkpoint \($0.offset + 1)", $0.element) }
    if !keys.isEmpty {
      let rows = try await database.query(
        Statement("SELECT hour, note FROM audit_checkpoint ORDER BY hour"), access: .scan)
      all += try rows.map { ("stored checkpoint of hour \(try $0.integer(0))", try $0.text(1)) }
    }
    for (name, note) in all {
      do { checkpoints.append(try Checkpoint(note: note, keys: keys)) } catch {
        report.add("\(name): \(error.description)")
      }
    }
    checkpoints.sort { $0.size > $1.size }
  }

  /// Compares the tree as it is now with the checkpoints of its size.
  private mutating func compareCheckpoints() {
    while let next = checkpoints.last, next.size == frontier.size {
      checkpoints.removeLast()
      report.checkpoints += 1
      if frontier.root(hasher) == next.root {
        report.provenSize = next.size
        provenSizes.append(next.size)
      } else if !isOfBeforeARestoration(next) {
        let proven = provenSizes.last { $0 < next.size } ?? 0
        report.add(
          "the first \(next.size) leaves are not those of the checkpoint signed at \(next.time.iso8601): one of the leaves "
            + "\(proven) to \(next.size - 1) was changed, removed, inserted or moved", within: proven..<next.size)
      }
    }
  }

  /// Whether a leaf says that the database was put back to a state before this checkpoint; noted, for whoever knows whether that is true.
  private mutating func isOfBeforeARestoration(_ checkpoint: Checkpoint) -> Bool {
    let restoration = restorations.first { $0.epoch == checkpoint.epoch && $0.size < checkpoint.size }
    guard let restoration else { return false }
    guard report.notices.count < VerificationReport.maximumFaults else { return true }
    report.notices.append(
      "the checkpoint of \(checkpoint.size) leaves signed at \(checkpoint.time.iso8601) is of before the database was put back to "
        + "\(restoration.size) leaves: a leaf of this log says so")
    return true
  }

  // MARK: Leaves

  /// The next leaves; false when there are no more.
  private mutating func page() async throws -> Bool {
    let start = report.size
    let rows = try await database.query(
      Statement(LogVerification.leaves, [.integer(start), .integer(LogVerification.pageLeaves)]), access: .scan)
    var nodes: [MerkleFrontier.Completed] = []
    for row in rows {
      let position = try row.integer(0)
      if position != report.size {
        report.add(
          "leaf \(report.size) is missing: the next one that is there is \(position)", at: report.size)
        // What follows a gap cannot be where the tree had it.
        return false
      }
      let hash = try await leaf(row, position)
      frontier.append(hash, hasher) {
        if $0.level > 0, $0.level % TreeGrowth.storedLevels == 0 { nodes.append($0) }
      }
      report.size += 1
      compareCheckpoints()
    }
    try await compare(nodes)
    return !rows.isEmpty
  }

  private static let leaves = """
    SELECT l.position, l.hash, l.aggregate_id, l.aggregate_version, l.actor, l.recorded_time, l.body, e.event_id, e.type,
      e.effective_time, e.recorded_time, e.actor,
      CASE WHEN length(e.payload) <= \(LeafSequencer.maximumSharedPayload) THEN e.payload END
    FROM audit_leaf AS l
    LEFT JOIN event AS e ON e.aggregate_id = l.aggregate_id AND e.aggregate_version = l.aggregate_version
    WHERE l.position >= ? ORDER BY l.position LIMIT ?
    """

  /// Judges one row, and gives the hash that the tree goes on with: of the bytes if they are there.
  private mutating func leaf(_ row: Row, _ position: Int64) async throws -> MerkleHash {
    guard let stored = MerkleHash(try row.blob(1)) else {
      report.add("the stored hash is none", at: position)
      return hasher.emptyRoot()
    }
    guard let body = try row.optionalBlob(6) else {
      report.dropped += 1
      if let last = dropped.last, last.upperBound == position {
        dropped[dropped.count - 1] = last.lowerBound..<position + 1
      } else if dropped.count < VerificationReport.maximumFaults {
        dropped.append(position..<position + 1)
      }
      return stored
    }
    let hash = hasher.leaf(body)
    if hash != stored { report.add("the leaf's bytes and its stored hash do not belong together", at: position) }
    do {
      let leaf = try AuditLeaf(encoded: body)
      let columns = [
        leaf.aggregateID, "\(leaf.aggregateVersion)", leaf.actor, "\(leaf.recordedTime.microsecondsSinceEpoch)",
      ]
      if columns != [try row.text(2), "\(try row.integer(3))", try row.text(4), "\(try row.integer(5))"] {
        report.add("the columns that are searched by do not say what the leaf says", at: position)
      }
      try await judge(leaf, row, position)
    } catch let malformed as AuditLeaf.Malformed {
      report.add("the leaf's bytes are none: \(malformed)", at: position)
    }
    return hash
  }

  private mutating func judge(_ leaf: AuditLeaf, _ row: Row, _ position: Int64) async throws {
    switch leaf.kind {
    case .beginning:
      if position != 0 { report.add("the log begins again in its middle", at: position) }
      eventsBefore = number("events_before", leaf) ?? 0
    case .event: try await compareEvent(leaf, row, position)
    case .retention: retainedFrom = max(retainedFrom, number("below", leaf) ?? 0)
    case .restoration:
      if let epoch = word("epoch_before", leaf), let size = number("size", leaf) { restorations.append((epoch, size)) }
    case .change, .disclosure: break
    }
    if position == 0, leaf.kind != .beginning { report.add("the first leaf does not begin the log", at: 0) }
  }

  private mutating func compareEvent(_ leaf: AuditLeaf, _ row: Row, _ position: Int64) async throws {
    if try row.optionalText(7) == nil, try await isOvertaken(leaf) {
      report.overtaken += 1
      return
    }
    guard try row.optionalText(7) == leaf.entryID else {
      return report.add("the event \(leaf.entryID) that the leaf tells of is not there", at: position)
    }
    report.events += 1
    var payload = try row.optionalBlob(12)
    if payload == nil {
      payload = try await database.row(
        Statement(
          "SELECT payload FROM event WHERE aggregate_id = ? AND aggregate_version = ?",
          [.text(leaf.aggregateID), .integer(leaf.aggregateVersion)]))?.blob(0)
    }
    let isSame =
      try row.optionalText(8) == leaf.type && row.optionalText(11) == leaf.actor
      && row.optionalInteger(9) == leaf.effectiveTime.microsecondsSinceEpoch
      && row.optionalInteger(10) == leaf.recordedTime.microsecondsSinceEpoch
      && payload.map { hasher.digest($0).array } == leaf.payloadHash
    if !isSame {
      report.add(
        "the event \(leaf.entryID) is not as it was logged: its payload, type, times or actor changed", at: position)
    }
  }

  /// Whether the event may be gone: below a published snapshot those go that a later one of their aggregate and type, up to the
  /// snapshot's position, has overtaken. That none is gone behind what was removed is for `countPositions` to say.
  private func isOvertaken(_ leaf: AuditLeaf) async throws -> Bool {
    try await database.row(
      Statement(
        """
        SELECT 1 FROM event e JOIN event_snapshot s ON s.partition = e.partition
        WHERE e.aggregate_id = ? AND e.aggregate_version > ? AND e.type = ? AND e.position <= s.snapshot_position
          AND s.removed_up_to > 0 LIMIT 1
        """, [.text(leaf.aggregateID), .integer(leaf.aggregateVersion), .text(leaf.type)])) != nil
  }

  private func word(_ name: String, _ leaf: AuditLeaf) -> String? {
    leaf.detail.split(separator: " ").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
  }

  private func number(_ name: String, _ leaf: AuditLeaf) -> Int64? { word(name, leaf).flatMap { Int64($0) } }

  // MARK: What proofs are made from

  private mutating func compare(_ nodes: [MerkleFrontier.Completed]) async throws {
    for (level, completed) in Dictionary(grouping: nodes, by: \.level).sorted(by: { $0.key < $1.key }) {
      guard let first = completed.first, let last = completed.last else { continue }
      let rows = try await database.query(
        Statement(
          "SELECT number, hash FROM audit_node WHERE level = ? AND number >= ? AND number <= ?",
          [.integer(Int64(level)), .integer(first.number), .integer(last.number)]), access: .scan)
      var stored: [Int64: [UInt8]] = [:]
      for row in rows { stored[try row.integer(0)] = try row.blob(1) }
      for node in completed { try await compare(node, with: stored[node.number].flatMap { MerkleHash($0) }) }
    }
  }

  private mutating func compare(_ node: MerkleFrontier.Completed, with stored: MerkleHash?) async throws {
    let isGroup = node.level == TreeGrowth.storedLevels
    guard node.hash != stored else {
      if isGroup { groups.noteWhole() }
      return
    }
    let (start, count) = (node.number << Int64(node.level), Int64(1) << Int64(node.level))
    let range = start..<start + count
    if isGroup {
      if report.knows(range) { return }
      clarified = min(start, clarified?.lowerBound ?? start)..<range.upperBound
      if let stored, try await isClear(stored, start) { return }
    } else if clarified?.overlaps(range) == true {
      return
    }
    report.add(
      "the leaves \(start) to \(start + count - 1) and the stored node over them do not belong together: a leaf was changed "
        + "together with its hash, removed, inserted or moved, or the node", within: range, isSharp: true)
  }

  /// Whether it can be told what happened to the sixteen leaves of a node; then it is told.
  private mutating func isClear(_ node: MerkleHash, _ start: Int64) async throws -> Bool {
    let window = groups.window(start)
    let rows = try await database.query(
      Statement(
        "SELECT position, hash FROM audit_leaf WHERE position >= ? AND position < ?",
        [.integer(window.lowerBound), .integer(window.upperBound)]), access: .scan)
    var hashes: [Int64: MerkleHash] = [:]
    for row in rows { hashes[try row.integer(0)] = MerkleHash(try row.blob(1)) }
    guard let findings = groups.judge(node, start: start, hashes: hashes) else { return false }
    for finding in findings { tell(finding) }
    return true
  }

  private mutating func tell(_ finding: LeafGroups.Finding) {
    switch finding {
    case .removed(let group):
      report.replace(group, "one of these leaves was removed, and those behind it moved up")
    case .inserted(let position):
      report.add(
        "the leaf was inserted here, or moved to here: without it the others fit the stored node", at: position)
    case .exchanged(let first, let second):
      report.withdraw(groupOf: first)
      for position in [first, second] {
        report.add("the leaves \(first) and \(second) stand in each other's place", at: position)
      }
    case .misplaced(let position, let place):
      report.add("the leaf belongs at \(place) and was moved to here", at: position)
    }
  }

  // MARK: The end

  private mutating func compareEnd() async throws {
    let state: AuditLog.State?
    do { state = try await AuditLog.state(of: database) } catch let failure as AuditFailure {
      report.add(failure.description)
      state = nil
    }
    if let state, state.frontier != frontier {
      report.add(
        "the log's own row tells of \(state.frontier.size) leaves, and not of these \(report.size): leaves were removed, added or "
          + "changed at the end", within: 0..<max(state.frontier.size, report.size, 1))
    }
    for range in dropped where range.upperBound > retainedFrom {
      report.add("the leaf's bytes were dropped, and no leaf says so", at: max(retainedFrom, range.lowerBound))
    }
    for checkpoint in checkpoints.reversed() { judgeBeyond(checkpoint) }
    try await countEvents()
    try await countPositions()
  }

  /// A checkpoint of a larger log than this one is.
  private mutating func judgeBeyond(_ checkpoint: Checkpoint) {
    if !isOfBeforeARestoration(checkpoint) {
      report.add(
        "the log ends at \(report.size) leaves, but had \(checkpoint.size) at \(checkpoint.time.iso8601) as its checkpoint says: its "
          + "tail was removed", within: report.size..<checkpoint.size)
    }
  }

  private mutating func countEvents() async throws {
    func count(_ sql: String) async throws -> Int64 {
      try await database.row(Statement(sql), access: .scan)?.integer(0) ?? 0
    }
    report.waiting = try await count("SELECT count(*) FROM audit_pending")
    let waitingEvents = try await count("SELECT count(*) FROM audit_pending WHERE body IS NULL")
    let events = try await count("SELECT count(*) FROM event")
    let expected = eventsBefore + report.events + waitingEvents
    // With dropped bodies nobody knows which leaves told of events.
    if report.dropped == 0, events > expected {
      report.add("\(events - expected) events have no leaf: they were written past the service")
    }
  }

  /// Behind what retention has removed, every event that ever had a position is there.
  private mutating func countPositions() async throws {
    let rows = try await database.query(
      Statement(
        """
        SELECT removed_up_to, last_position - removed_up_to - found FROM (
          SELECT p.last_position, coalesce(s.removed_up_to, 0) AS removed_up_to, (
            SELECT count(*) FROM event e WHERE e.partition = p.partition AND e.position > coalesce(s.removed_up_to, 0)
          ) AS found
          FROM event_partition p LEFT JOIN event_snapshot s ON s.partition = p.partition) AS counted
        """), access: .scan)
    for row in rows where try row.integer(1) != 0 {
      report.add(
        "of the events behind position \(try row.integer(0)), where none may be removed, \(try row.integer(1)) are not there"
      )
    }
  }
}

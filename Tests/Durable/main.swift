import Audit
import Core
import Glibc
import Storage
import StorageSQLite

// Durable writes by many callers, for Benchmarks/durable.py: prints one line of JSON.
//   durable FILE KIND GROUP CALLERS WRITES
// KIND says what a write is: row, answered (and its idempotency row), told (and its event), full (and its audit leaf); numbered is
// told, and placed is full, while the sequencers of a service give the events their numbers and the leaves their places.
// GROUP is how many batches may share a transaction.

let words = CommandLine.arguments
guard words.count == 6, let group = Int(words[3]), let callers = Int(words[4]), let writes = Int(words[5]) else {
  print("usage: durable FILE KIND GROUP CALLERS WRITES")
  exit(2)
}
let (file, kind) = (words[1], words[2])
let clock = SystemClock()
var limits = SQLiteLimits()
limits.groupBatches = group

let table = Migration.keyed(version: 1, name: "parties") { keyed in
  [
    """
    CREATE TABLE party (
      party_id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, payload BLOB NOT NULL, create_time INTEGER NOT NULL,
      update_time INTEGER NOT NULL) \(keyed)
    """
  ]
}
let database = try SQLiteDatabase(path: file, clock: clock, limits: limits)
try await database.migrate([table])

/// As large as a party's facts.
let payload = [UInt8](repeating: 0x41, count: 220)

@Sendable func batch(_ kind: String) -> Batch {
  let id = Identifier<PartyKind>(clock: clock, random: SystemRandom()).description
  let now = clock.now()
  var batch = Batch([
    Statement(
      "INSERT INTO party (party_id, version, payload, create_time, update_time) VALUES (?, 1, ?, ?, ?)",
      [.text(id), .blob(payload), .time(now), .time(now)])
  ])
  if kind == "row" { return batch }
  batch.idempotency = IdempotencyRecord(
    caller: "benchmark", method: "/mainstay.customer.v1.CustomerService/CreateParty", requestID: id,
    requestHash: Array(payload.prefix(32)), reply: payload, createTime: now)
  let eventID = "evt_" + id.dropFirst(4)
  if kind == "told" || kind == "numbered" {
    batch.statements.append(
      Statement(
        """
        INSERT INTO event (event_id, partition, aggregate_id, aggregate_version, type, effective_time, recorded_time,
          actor, payload) VALUES (?, 0, ?, 1, ?, ?, ?, ?, ?)
        """,
        [
          .text(eventID), .text(id), .text("mainstay.customer.v1.PartyChanged"), .time(now), .time(now),
          .text("benchmark"), .blob(payload),
        ]))
  }
  if kind == "full" || kind == "placed" {
    batch.events = [
      OutboxEvent(
        eventID: eventID, aggregateID: id, aggregateVersion: 1, type: "mainstay.customer.v1.PartyChanged",
        effectiveTime: now, recordedTime: now, actor: "benchmark", payload: payload)
    ]
  }
  return batch
}

/// What a service runs beside its calls, as far as the kind asks for it.
func loopsBeside(_ kind: String) async throws -> [@Sendable () async throws -> Void] {
  guard kind == "numbered" || kind == "placed" else { return [] }
  let log = try await EventLog.open(database, random: SystemRandom())
  let sequencer = Sequencer(database: database, log: log, holder: "benchmark", clock: clock)
  let numbering: @Sendable () async throws -> Void = { try await sequencer.run(sleep: pause, onError: tell) }
  guard kind == "placed" else { return [numbering] }
  let audit = try await AuditLog.open(database, name: "mainstay/benchmark", clock: clock, random: SystemRandom())
  let leaves = LeafSequencer(log: audit, lease: sequencer.lease, key: nil, clock: clock)
  return [
    numbering,
    { try await AuditLoop(leaves, log: audit, file: nil).run(sleep: pause, onError: tell) },
  ]
}

@Sendable func pause(_ duration: Duration) async throws { try await Task.sleep(for: duration) }

@Sendable func tell(_ error: any Error) {
  print(error)
  exit(1)
}

/// Whether the loops have nothing left to do.
func isDrained(_ kind: String) async throws -> Bool {
  let events = "EXISTS (SELECT 1 FROM event WHERE partition = 0 AND position IS NULL)"
  let leaves = "EXISTS (SELECT 1 FROM audit_pending)"
  let waiting = kind == "placed" ? "\(events) OR \(leaves)" : events
  return try await database.row(Statement("SELECT \(waiting)"))?.integer(0) == 0
}

func processSeconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(0), &usage)
  return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

let loops = try await loopsBeside(kind)
let before = database.statistics.transactions
let (begin, beginCPU) = (clock.monotonicNanoseconds(), processSeconds())
// Until the last write is answered; the CPU time holds what the loops do afterwards too.
var seconds = 0.0
try await withThrowingTaskGroup(of: Void.self) { beside in
  for loop in loops { beside.addTask { do { try await loop() } catch is CancellationError {} } }
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    for caller in 0..<callers {
      let share = writes / callers + (caller < writes % callers ? 1 : 0)
      tasks.addTask {
        for _ in 0..<share {
          try await database.commit(batch(kind), lane: .interactive)
          if kind == "numbered" { database.committedEvents.raise() }
        }
      }
    }
    try await tasks.waitForAll()
  }
  seconds = Double(clock.monotonicNanoseconds() - begin) / 1e9
  while !loops.isEmpty, try await !isDrained(kind) { try await pause(.milliseconds(20)) }
  beside.cancelAll()
}
let cpu = processSeconds() - beginCPU
let transactions = database.statistics.transactions - before
database.close()
print(
  #"{"writes": \#(writes), "seconds": \#(seconds), "cpu_seconds": \#(cpu), "transactions": \#(transactions)}"#)

import Core
import Glibc
import Storage
import StorageSQLite
import Synchronization

// Durable writes by many callers, for Benchmarks/durable.py: prints one line of JSON.
//   durable FILE KIND GROUP CALLERS WRITES
// KIND says what a write is: row, answered (and its idempotency row), told (and its event), full (and its audit leaf).
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
  if kind != "row" {
    batch.idempotency = IdempotencyRecord(
      caller: "benchmark", method: "/mainstay.customer.v1.CustomerService/CreateParty", requestID: id,
      requestHash: Array(payload.prefix(32)), reply: payload, createTime: now)
  }
  let eventID = "evt_" + id.dropFirst(4)
  if kind == "told" {
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
  if kind == "full" {
    batch.events = [
      OutboxEvent(
        eventID: eventID, aggregateID: id, aggregateVersion: 1, type: "mainstay.customer.v1.PartyChanged",
        effectiveTime: now, recordedTime: now, actor: "benchmark", payload: payload)
    ]
  }
  return batch
}

func processSeconds() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(0), &usage)
  return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

let before = database.statistics.transactions
let (begin, beginCPU) = (clock.monotonicNanoseconds(), processSeconds())
try await withThrowingTaskGroup(of: Void.self) { tasks in
  for caller in 0..<callers {
    let share = writes / callers + (caller < writes % callers ? 1 : 0)
    tasks.addTask { for _ in 0..<share { try await database.commit(batch(kind), lane: .interactive) } }
  }
  try await tasks.waitForAll()
}
let seconds = Double(clock.monotonicNanoseconds() - begin) / 1e9
let cpu = processSeconds() - beginCPU
let transactions = database.statistics.transactions - before
database.close()
print(
  #"{"writes": \#(writes), "seconds": \#(seconds), "cpu_seconds": \#(cpu), "transactions": \#(transactions)}"#)

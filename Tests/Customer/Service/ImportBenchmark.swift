import API
import Core
import Foundation
import Glibc
import MainstayTesting
import Protobuf
import RPCCore
import Testing

/// Rows per second of a large import, without network. Runs when MAINSTAY_BENCHMARK_ROWS gives the number of rows:
/// MAINSTAY_BENCHMARK_ROWS=1000000 swift test -c release --filter ImportBenchmark
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MAINSTAY_BENCHMARK_ROWS"] != nil))
struct ImportBenchmark {
  private let rows = Int(ProcessInfo.processInfo.environment["MAINSTAY_BENCHMARK_ROWS"] ?? "") ?? 0
  private let chunk = 1_000

  @Test func partiesPerSecond() async throws {
    let service = try await TestService(clock: SystemClock())
    try await service.whileRunning {
      try await measure("parties created", service, CustomerServiceMethods.importParties) {
        request($0, changed: false)
      }
      try await measure("parties unchanged", service, CustomerServiceMethods.importParties) {
        request($0, changed: false)
      }
      try await measure("parties updated", service, CustomerServiceMethods.importParties) { request($0, changed: true) }
    }
    #expect(try await service.number("SELECT count(*) FROM party") == Int64(rows))
  }

  @Test func policiesPerSecond() async throws {
    let service = try await TestService(clock: SystemClock())
    try await service.whileRunning {
      try await measure("policies created, each with its policyholder", service, PolicyServiceMethods.importPolicies) {
        start in
        ImportPoliciesRequest(
          source: "core",
          rows: (start..<start + chunk).map { ImportPolicyRow(line: Int64($0), policy: policy("\($0)")) })
      }
    }
    #expect(try await service.number("SELECT count(*) FROM policy") == Int64(rows))
  }

  private func measure<Request: Message>(
    _ name: String, _ service: TestService, _ method: MethodDescriptor, _ request: (Int) -> Request
  ) async throws {
    let clock = SystemClock()
    var spent: UInt64 = 0
    let cpu = processSeconds()
    var building = 0.0
    for start in stride(from: 0, to: rows, by: chunk) {
      let built = processSeconds()
      let message = request(start)
      building += processSeconds() - built
      let before = clock.monotonicNanoseconds()
      try await service.run(method, [message], Exchange())
      spent += clock.monotonicNanoseconds() - before
      if start % (rows / 4 / chunk * chunk) == 0 { print("  \(start) rows, \(residentMebibytes()) MiB") }
    }
    let seconds = Double(spent) / 1e9
    let processor = processSeconds() - cpu - building
    print(
      "\(name): \(rows) rows in \(String(format: "%.1f", seconds)) s = \(Int(Double(rows) / seconds)) rows/s,",
      "\(String(format: "%.1f", processor / Double(rows) * 1e6)) µs CPU per row, \(residentMebibytes()) MiB resident")
  }

  private func request(_ start: Int, changed: Bool) -> ImportPartiesRequest {
    ImportPartiesRequest(
      source: "febrl", rows: (start..<start + chunk).map { ImportPartyRow(line: Int64($0), party: party($0, changed)) })
  }

  private func party(_ number: Int, _ changed: Bool) -> Party {
    // Spread over the keys as a file in no order has them.
    let key = (number &* 2_654_435_761) % 4_294_967_296
    let families = ["王", "李", "张", "刘", "陈", "berry", "waller", "harrington", "sondergeld", "杨"]
    let given = ["丽华", "明", "lachlan", "deakin", "kayla", "伟", "秀英", "建国"]
    return Party(
      sourceKey: "rec-\(key)",
      kind: .person(
        Person(
          familyName: families[number % families.count],
          givenName: given[number / 7 % given.count] + String(number % 97),
          birthDate: CalendarDate(
            year: Int32(1930 + number % 80), month: Int32(1 + number % 12), day: Int32(1 + number % 28)))),
      identifiers: [Identifier(type: .nationalNumber, issuer: "AU", value: "\(7_000_000 + number)")],
      phones: changed ? ["13800\(number)"] : [],
      addresses: [
        Address(
          lines: ["\(number % 200) tullaroop street", "willaroo"], city: "st james", province: "wa", postalCode: "4011",
          countryCode: "AU")
      ])
  }

  private func processSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func residentMebibytes() -> Int {
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
    return (Int(pages?.dropFirst().first ?? "") ?? 0) * 4_096 / 1_048_576
  }
}

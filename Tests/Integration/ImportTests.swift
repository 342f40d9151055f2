import Foundation
import MainstayTesting
import Testing

private let febrl = "../shared/data/febrl1.csv"
private let mapping = "services/customer/mappings/febrl.yaml"
private let header =
  "rec_id,given_name,surname,street_number,address_1,address_2,suburb,postcode,state,date_of_birth,soc_sec_id\n"

/// Imports through the gateway, with the real programs.
@Suite(
  .serialized, .timeLimit(.minutes(10)),
  .enabled(if: Program.exists("mainstay"), "the programs are not built: make release"))
struct ImportTests {
  private func importFile(
    _ system: RunningSystem, _ file: String, source: String = "test", _ more: [String] = []
  ) async throws -> Program.Result {
    let arguments = ["customers", "import", file, "--source", source, "--mapping", mapping]
    return try await system.mainstay(arguments + more)
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: febrl), "../shared/data is not here"))
  func febrlImportedTwiceKeepsItsIds() async throws {
    try await withSystem { system in
      let first = try await importFile(system, febrl, source: "febrl1", ["--format", "json"])
      #expect(first.code == 0, "\(first.errors)")
      #expect(first.output.contains("\"created\": 1000, \"updated\": 0, \"unchanged\": 0, \"rejected\": 0"))
      let clusters = ["customers", "clusters", "--source", "febrl1", "--format", "csv"]
      let before = try await system.mainstay(clusters)
      let lines = before.output.split(separator: "\n")
      #expect(lines.first == "source_key,customer_id")
      #expect(lines.count == 1_001)
      #expect(Set(lines.dropFirst().map { $0.split(separator: ",")[0] }).count == 1_000)
      let second = try await importFile(system, febrl, source: "febrl1", ["--format", "json"])
      #expect(second.output.contains("\"created\": 0, \"updated\": 0, \"unchanged\": 1000"))
      #expect(try await system.mainstay(clusters).output == before.output)
    }
  }

  @Test func brokenRowsGoToTheRejectFileAndGoodOnesIn() async throws {
    try await withSystem { system in
      let good = (0..<50).map { "good-\($0),anna,smith,1,street,,place,4000,wa,19900101,1\n" }
      var bytes = Data((header + good[..<25].joined()).utf8)
      bytes.append(Data("bad-1,too,few\n\"bad-2\"x,open,smith,1,street,,place,4000,wa,19900101,1\n".utf8))
      bytes.append(Data("bad-3,Jos".utf8) + [0xE9] + Data(",smith,1,street,,place,4000,wa,19900101,1\n".utf8))
      bytes.append(Data(",no key,smith,1,street,,place,4000,wa,19900101,1\n".utf8))
      bytes.append(Data("bad-5,\(String(repeating: "x", count: 200)),smith,1,street,,place,4000,wa,19900101,1\n".utf8))
      bytes.append(Data(good[25...].joined().utf8))
      let file = system.home.file("broken.csv")
      try bytes.write(to: URL(fileURLWithPath: file))
      let result = try await importFile(system, file)
      #expect(result.code == 1)
      #expect(isOneLine(result.errors) && result.errors.contains("5 rows were not taken"), "\(result.errors)")
      let listed = try await system.mainstay(["customers", "clusters", "--source", "test", "--format", "csv"])
      #expect(listed.output.split(separator: "\n").count == 51)
      let rejects = try Data(contentsOf: URL(fileURLWithPath: "\(file).rejects.csv")).split(separator: 0x0A)
        .map { String(decoding: $0, as: UTF8.self) }
      #expect(rejects.first == "line,reason,\(header.dropLast())")
      #expect(rejects.dropFirst().compactMap { Int($0.split(separator: ",")[0]) }.sorted() == [27, 28, 29, 30, 31])
      #expect(rejects.contains { $0.hasPrefix("27,3 values where the header has 11,bad-1,too,few") })
      #expect(
        rejects.contains { $0.hasPrefix("31,") && $0.contains("given_name") && $0.contains("bad-5") },
        "the service's reason")
    }
  }

  @Test func allRowsAreThereOnceAfterAKillInTheMidstOfAnImport() async throws {
    try await withSystem { system in
      let rows = 20_000
      let lines = (0..<rows).map {
        "key-\($0),anna\($0 % 977),smith,\($0 % 100),street,,place,4000,wa,19900101,\($0)\n"
      }
      let file = try system.home.write("large.csv", header + lines.joined())
      let running = try Program.Running(
        "mainstay", ["customers", "import", file, "--source", "test", "--mapping", mapping],
        environment: ["MAINSTAY_HOME": system.home.path])
      let hasBegun = try await eventually {
        try await system.mainstay(["customers", "list", "--limit", "1", "--format", "csv"]).output.contains("cus_")
      }
      #expect(hasBegun)
      kill(try #require(system.processIdentifier(of: "customer")), SIGKILL)
      _ = try await running.result()
      // The import goes on by itself when the service is back in time; else it is run again.
      let second = try await eventually {
        try await importFile(system, file, ["--format", "json"]).output.contains(
          "\"unchanged\": \(rows), \"rejected\": 0")
      }
      #expect(second)
      let listed = try await system.mainstay(["customers", "clusters", "--source", "test", "--format", "csv"])
      let found = listed.output.split(separator: "\n").dropFirst().map { $0.split(separator: ",") }
      #expect(found.count == rows)
      #expect(Set(found.map { $0[0] }).count == rows)
      #expect(Set(found.map { $0[1] }).count == rows)
    }
  }

  @Test func wrongFilesAndMappingsAreRefusedWithOneLine() async throws {
    try await withSystem { system in
      let utf16 = system.home.file("utf16.csv")
      try (header + "1,a,b,1,c,,d,4000,wa,19900101,1\n").data(using: .utf16)?.write(to: URL(fileURLWithPath: utf16))
      let encoding = try await importFile(system, utf16)
      #expect(encoding.code == 1)
      #expect(isOneLine(encoding.errors) && encoding.errors.contains("UTF-16, not UTF-8"), "\(encoding.errors)")
      let more = try system.home.write("more.csv", "colour," + header)
      let column = try await importFile(system, more)
      #expect(column.code == 2)
      #expect(isOneLine(column.errors) && column.errors.contains("\"colour\""), "\(column.errors)")
      let missing = try await importFile(system, system.home.file("nowhere.csv"))
      #expect(missing.code == 2 && isOneLine(missing.errors), "\(missing.errors)")
      let itself = try await importFile(system, more, ["--rejects", more])
      #expect(itself.code == 2 && isOneLine(itself.errors), "\(itself.errors)")
      #expect(FileManager.default.fileExists(atPath: more), "the reject file does not replace the input")
      let empty = try await importFile(system, try system.home.write("empty.csv", ""))
      #expect(empty.code == 1 && isOneLine(empty.errors), "\(empty.errors)")
      #expect(
        try await system.mainstay(["customers", "list", "--format", "csv"]).output.split(separator: "\n").count == 1)
    }
  }

  @Test func anImportWithoutAServerFailsAtOnce() async throws {
    let system = try RunningSystem()
    try #require(try await system.mainstay(["certs", "init"]).code == 0)
    let file = try system.home.write("one.csv", header + "1,a,b,1,c,,d,4000,wa,19900101,1\n")
    let target = ["--target", "127.0.0.1:\(system.gatewayPort)"]
    let result = try await importFile(system, file, target)
    #expect(result.code == 1)
    #expect(isOneLine(result.errors) && result.errors.hasPrefix("UNAVAILABLE: "), "\(result.errors)")
  }

  @Test func policiesAreImportedAndListed() async throws {
    try await withSystem { system in
      let map = try system.home.write(
        "policies.yaml",
        """
        kind: policy
        key: no
        columns:
          holder: policyholder_source_key
          start: issue_date
          premium: {field: annual_premium, currency: CNY}
          state: {field: state, values: {live: IN_FORCE, gone: SURRENDERED}}
        constants: {product_code: LIFE, channel: bancassurance}
        """)
      let file = try system.home.write(
        "policies.csv",
        "no,holder,start,premium,state\n1,a,2020-01-02,1200.50,live\n2,a,2021-01-02,7,gone\n3,b,2021-02-30,7,live\n")
      let result = try await system.mainstay(
        ["policies", "import", file, "--source", "core", "--mapping", map, "--format", "csv"])
      #expect(result.code == 1, "\(result.errors)")
      #expect(result.output.split(separator: "\n").last?.hasPrefix("2,0,0,1,") == true, "\(result.output)")
      let listed = try await system.mainstay(["policies", "list", "--source", "core", "--format", "csv"]).output
      #expect(
        listed.contains("LIFE,IN_FORCE,2020-01-02") && listed.contains("LIFE,SURRENDERED,2021-01-02"), "\(listed)")
    }
  }
}

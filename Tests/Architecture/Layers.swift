/// What each target may depend on and import. Dependencies point one way: main → service → domain → Core.
/// A new edge is a decision: add it here and in Package.swift, and say why in the commit.
enum Layers {
  static let allowed: [String: Set<String>] = [
    // C libraries: only the drivers, the wire, the messages and the audit log's proofs reach them.
    "COpenSSL": [], "CNghttp2": [], "CZlib": [], "CProtobufC": [], "CSQLite": [], "CPostgres": [], "CCurl": [],
    "CAPI": ["CProtobufC"],

    "Core": [],
    "Protobuf": ["Core", "CProtobufC"],
    "mainstay-protogen": ["Protobuf"],
    "API": ["CAPI", "CProtobufC", "Protobuf", "RPCCore"],
    // Only for tests: protos with every kind of field, and the properties that the tests and the fuzzer share.
    "CProtobufFixtures": ["CProtobufC"],
    "ProtobufFixtures": ["CProtobufFixtures", "Protobuf"],
    "ProtobufProperties": ["API", "Core", "Protobuf", "ProtobufFixtures"],

    // Only for tests: what must hold for whatever a peer sends.
    "RPCProperties": ["Core", "RPCCore", "RPCInProcess", "RPCTransport", "Logging"],
    // Only for tests: calls over a simulated network.
    "RPCSimulation": ["Core", "RPCCore", "RPCTransport", "Logging"],
    "simulate": ["RPCSimulation"],

    // Only for tests: a disk that loses power.
    "CCrashDisk": ["CSQLite"],

    "RPCCore": ["Core", "Protobuf"],
    "RPCTransport": ["Core", "RPCCore", "COpenSSL", "CNghttp2", "CZlib", "Logging"],
    "RPCInProcess": ["Core", "RPCCore", "RPCTransport"],
    // Asks a server what its methods look like: for programs that call any method.
    "RPCReflection": ["Protobuf", "RPCCore", "API"],

    "Storage": ["Core"],
    "StorageSQLite": ["Core", "Storage", "CSQLite"],
    // Knows both databases by what they share.
    "StorageCopying": ["Storage"],
    "StoragePostgres": ["Core", "Storage", "CPostgres"],

    "ServiceRuntime": [
      "Core", "Protobuf", "RPCCore", "RPCTransport", "API", "Identity", "Signatures", "Logging", "Yams",
    ],
    "Events": ["Core", "Protobuf", "RPCCore", "API", "Storage", "Logging"],
    // Long work as rows. Knows no wire: UseCases has the endpoint.
    "Jobs": ["Core", "Storage"],
    "UseCases": ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "Jobs"],
    // Posts to systems outside, by libcurl.
    "WebhookSending": ["CCurl"],
    "Webhooks": ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "UseCases", "WebhookSending"],
    // A program's start: its database, and what it follows.
    "ServiceStorage": [
      "Core", "API", "RPCCore", "Storage", "StorageCopying", "StoragePostgres", "StorageSQLite", "ServiceRuntime",
      "UseCases", "Audit", "AuditProof", "EventFollowing", "ProductCopies", "Signatures", "Webhooks",
      "WebhookSending", "Logging",
    ],

    // Ed25519, for whoever signs or verifies.
    "Signatures": ["Core", "COpenSSL"],
    // Tokens and what they say of a caller; knows no socket and no file.
    "Identity": ["Core", "Protobuf", "RPCCore", "Signatures"],
    // The tree's hashes are OpenSSL's. Who only verifies needs no storage: the command line does.
    "AuditProof": ["Core", "COpenSSL", "Signatures"],
    "Audit": ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "UseCases", "AuditProof", "Signatures"],
    "EventFollowing": ["Core", "RPCCore", "API"],
    // A copy must answer by the same rule as its original, so it asks the rule.
    "ProductCopies": ["Core", "API", "RPCCore", "Storage", "UseCases", "EventFollowing", "PartnerDomain"],

    "CustomerDomain": ["Core"],
    "CustomerService": [
      "Core", "CustomerDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases", "ProductCopies",
    ],
    "mainstay-customer": ["CustomerService", "ServiceRuntime", "ServiceStorage"],
    "PartnerDomain": ["Core"],
    "PartnerService": ["Core", "PartnerDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases"],
    "mainstay-partner": ["PartnerService", "ServiceRuntime", "ServiceStorage"],

    "ReportingDomain": ["Core"],
    "ReportingService": [
      "Core", "ReportingDomain", "Protobuf", "RPCCore", "API", "Storage", "EventFollowing", "Jobs", "ProductCopies",
      "UseCases",
    ],
    "mainstay-reporting": ["ReportingDomain", "ReportingService", "RPCCore", "ServiceRuntime", "ServiceStorage"],

    "AgentDomain": ["Core"],
    "AgentService": [
      "Core", "AgentDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases", "ProductCopies",
    ],
    "mainstay-agent": ["AgentService", "ServiceRuntime", "ServiceStorage"],

    "Gateway": ["Core", "Protobuf", "RPCCore", "RPCTransport", "API", "Identity", "ServiceRuntime", "Logging"],
    "mainstay-gateway": ["Gateway", "ServiceRuntime"],

    // Invented data know no service: the command line carries them there.
    // Demo data are records that the services take, in their own words.
    "Demo": ["AgentDomain", "Core", "CustomerDomain", "PartnerDomain"],
    "mainstay": [
      "Core", "Demo", "Protobuf", "RPCCore", "RPCReflection", "RPCTransport", "API", "AuditProof", "Identity",
      "ServiceRuntime", "Signatures", "ArgumentParser", "Logging", "Yams",
    ],
    "mainstay-interop": ["Core", "Protobuf", "RPCCore", "RPCTransport", "API", "ArgumentParser", "Logging"],
    // Calls by bytes over the transport itself: a stub per call would cost more than the server it measures.
    "mainstay-load": ["Core", "Protobuf", "RPCCore", "RPCReflection", "RPCTransport", "ArgumentParser", "Yams"],

    // Only for tests: a release to come.
    "next-customer": [
      "CustomerService", "Core", "RPCCore", "ServiceRuntime", "ServiceStorage", "Storage", "UseCases",
    ],

    // Measures durable writes, and what numbering events and placing audit leaves adds to them.
    "durable": ["Audit", "Core", "Storage", "StorageSQLite"],

    // What tests share. It is in no other list: no product may use it.
    "MainstayTesting": [
      "Core", "Protobuf", "RPCCore", "RPCTransport", "Storage", "StoragePostgres", "StorageSQLite", "UseCases",
    ],
  ]

  /// Modules of the toolchain that every target may import.
  static let toolchain: Set<String> = ["Swift", "Glibc", "Synchronization", "_Concurrency"]

  /// Foundation is large and has ambient clocks and locales: only the command line and tests may use it.
  static let mayImportFoundation: Set<String> = ["mainstay", "MainstayTesting"]

  /// Dependencies in the manifest that the table does not allow.
  static func violations(of targets: [Target], allowed: [String: Set<String>] = allowed) -> [Violation] {
    targets.flatMap { target -> [Violation] in
      guard let permitted = allowed[target.name] else {
        return [Violation(path: "Package.swift", line: 0, problem: "\(target.name) is not in the table of layers")]
      }
      return target.dependencies.filter { !permitted.contains($0) }.map {
        Violation(path: "Package.swift", line: 0, problem: "\(target.name) must not depend on \($0)")
      }
    }
  }

  /// Imports in the sources that the table does not allow.
  static func violations(
    ofImportsIn file: SourceText, target: String, allowed: [String: Set<String>] = allowed
  ) -> [Violation] {
    file.code.enumerated().compactMap { index, line in
      guard let module = importedModule(line), !toolchain.contains(module) else { return nil }
      if module.hasPrefix("Foundation"), mayImportFoundation.contains(target) { return nil }
      if allowed[target]?.contains(module) == true { return nil }
      return Violation(path: file.path, line: index + 1, problem: "\(target) must not import \(module)")
    }
  }

  /// "Core" for `import Core`, `@testable import Core`, `public import struct Core.Money`.
  static func importedModule(_ line: String) -> String? {
    guard line.contains("import ") else { return nil }
    let pattern =
      /^\s*(?:@\w+\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    return line.firstMatch(of: pattern).map { String($0.1) }
  }
}

/// A target of the manifest, tests left out.
struct Target {
  let name: String
  /// Folder from the package root.
  let path: String
  let dependencies: [String]
}

// swift-tools-version: 6.1
import PackageDescription

// The layers are the targets: a target may import only what is listed for it here, and
// Tests/Architecture compares this manifest with its allow-table.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
]

// Checks at run time that no variable is read while it is written cost an eighth of the gateway's CPU. They are on in debug builds,
// which all tests run: docs/decisions/0028-exclusivity-in-releases.md.
let product = strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

func layer(
  _ name: String, _ path: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(path)", resources: resources, swiftSettings: product)
}

func program(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: product)
}

func library(_ name: String, pkgConfig: String) -> Target {
  .systemLibrary(name: name, path: "Sources/CLibraries/\(name)", pkgConfig: pkgConfig)
}

func suite(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(path)", swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "mainstay",
  products: [
    .executable(name: "mainstay", targets: ["mainstay"]),
    .executable(name: "mainstay-gateway", targets: ["mainstay-gateway"]),
    .executable(name: "mainstay-customer", targets: ["mainstay-customer"]),
    .executable(name: "mainstay-reporting", targets: ["mainstay-reporting"]),
    .executable(name: "mainstay-partner", targets: ["mainstay-partner"]),
    .executable(name: "mainstay-agent", targets: ["mainstay-agent"]),
    .executable(name: "mainstay-interop", targets: ["mainstay-interop"]),
    .executable(name: "mainstay-load", targets: ["mainstay-load"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C libraries from the system
    library("COpenSSL", pkgConfig: "openssl"),
    library("CNghttp2", pkgConfig: "libnghttp2"),
    library("CZlib", pkgConfig: "zlib"),
    library("CProtobufC", pkgConfig: "libprotobuf-c"),
    library("CSQLite", pkgConfig: "sqlite3"),
    library("CPostgres", pkgConfig: "libpq"),
    library("CCurl", pkgConfig: "libcurl"),

    layer("Core", "Core"),

    // Messages
    layer("Protobuf", "Protobuf/Runtime", ["Core", "CProtobufC"]),
    program("mainstay-protogen", "Protobuf/Generator", ["Protobuf"]),
    .target(name: "CAPI", dependencies: ["CProtobufC"], path: "Sources/API/CAPI"),
    layer("API", "API/API", ["CAPI", "Protobuf", "RPCCore"]),

    // Calls
    layer("RPCCore", "RPC/RPCCore", ["Core", "Protobuf"]),
    layer("RPCTransport", "RPC/RPCTransport", ["Core", "RPCCore", "COpenSSL", "CNghttp2", "CZlib", logging]),
    layer("RPCInProcess", "RPC/RPCInProcess", ["Core", "RPCCore", "RPCTransport"]),
    layer("RPCReflection", "RPC/RPCReflection", ["Protobuf", "RPCCore", "API"]),

    // Data
    layer("Storage", "Storage/Storage", ["Core"]),
    layer("StorageSQLite", "Storage/StorageSQLite", ["Core", "Storage", "CSQLite"]),
    layer("StoragePostgres", "Storage/StoragePostgres", ["Core", "Storage", "CPostgres"]),

    layer("StorageCopying", "Storage/StorageCopying", ["Storage"]),

    // What every service has
    layer(
      "ServiceRuntime", "Platform/ServiceRuntime",
      ["Core", "Protobuf", "RPCCore", "RPCTransport", "API", "Identity", "Signatures", logging, yams]),
    layer("Events", "Platform/Events", ["Core", "Protobuf", "RPCCore", "API", "Storage", logging]),

    layer("Signatures", "Platform/Signatures", ["Core", "COpenSSL"]),
    layer("Identity", "Platform/Identity", ["Core", "Protobuf", "RPCCore", "Signatures"]),
    layer("AuditProof", "Platform/AuditProof", ["Core", "COpenSSL", "Signatures"]),
    layer(
      "Audit", "Platform/Audit",
      ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "UseCases", "AuditProof", "Signatures"]),
    layer("EventFollowing", "Platform/EventFollowing", ["Core", "RPCCore", "API"]),
    layer("Jobs", "Platform/Jobs", ["Core", "Storage"]),
    layer("UseCases", "Platform/UseCases", ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "Jobs"]),
    layer(
      "ProductCopies", "Platform/ProductCopies",
      ["Core", "API", "RPCCore", "Storage", "UseCases", "EventFollowing", "PartnerDomain"]),
    layer("WebhookSending", "Platform/WebhookSending", ["CCurl"]),
    layer(
      "Webhooks", "Platform/Webhooks",
      ["Core", "Protobuf", "RPCCore", "API", "Storage", "Events", "UseCases", "WebhookSending"]),
    layer(
      "ServiceStorage", "Platform/ServiceStorage",
      [
        "Core", "API", "RPCCore", "Storage", "StorageCopying", "StoragePostgres", "StorageSQLite", "ServiceRuntime",
        "UseCases", "Audit", "AuditProof", "EventFollowing", "ProductCopies", "Signatures", "Webhooks",
        "WebhookSending", logging,
      ]),

    // Customer service
    layer("CustomerDomain", "Customer/Domain", ["Core"]),
    layer(
      "CustomerService", "Customer/Service",
      ["Core", "CustomerDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases", "ProductCopies"]),
    program(
      "mainstay-customer", "Customer/main", ["CustomerService", "ServiceRuntime", "ServiceStorage"]),

    // Reporting service
    layer("ReportingDomain", "Reporting/Domain", ["Core"]),
    layer(
      "ReportingService", "Reporting/Service",
      [
        "Core", "ReportingDomain", "Protobuf", "RPCCore", "API", "Storage", "EventFollowing", "Jobs",
        "ProductCopies", "UseCases",
      ]),
    program(
      "mainstay-reporting", "Reporting/main",
      ["ReportingDomain", "ReportingService", "RPCCore", "ServiceRuntime", "ServiceStorage"]),

    // Partner service
    layer("PartnerDomain", "Partner/Domain", ["Core"]),
    layer(
      "PartnerService", "Partner/Service",
      ["Core", "PartnerDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases"]),
    program("mainstay-partner", "Partner/main", ["PartnerService", "ServiceRuntime", "ServiceStorage"]),

    // Agent service
    layer("AgentDomain", "Agent/Domain", ["Core"]),
    layer(
      "AgentService", "Agent/Service",
      ["Core", "AgentDomain", "Protobuf", "RPCCore", "API", "Storage", "Jobs", "UseCases", "ProductCopies"]),
    program("mainstay-agent", "Agent/main", ["AgentService", "ServiceRuntime", "ServiceStorage"]),

    // Gateway
    layer(
      "Gateway", "Gateway/Gateway",
      ["Core", "Protobuf", "RPCCore", "RPCTransport", "API", "Identity", "ServiceRuntime", logging]),
    program("mainstay-gateway", "Gateway/main", ["Gateway", "ServiceRuntime"]),

    // Tools
    layer("Demo", "Demo", ["AgentDomain", "Core", "CustomerDomain", "PartnerDomain"]),
    program(
      "mainstay", "CLI",
      [
        "Core", "Demo", "Protobuf", "RPCCore", "RPCReflection", "RPCTransport", "API", "AuditProof", "Identity",
        "ServiceRuntime", "Signatures", argumentParser, logging, yams,
      ]),
    program(
      "mainstay-interop", "Interop", ["Core", "Protobuf", "RPCCore", "RPCTransport", "API", argumentParser, logging]),
    program(
      "mainstay-load", "Load", ["Core", "Protobuf", "RPCCore", "RPCReflection", "RPCTransport", argumentParser, yams]),

    .executableTarget(
      name: "durable", dependencies: ["Audit", "Core", "Storage", "StorageSQLite"], path: "Tests/Durable",
      swiftSettings: strict),

    // Tests: no product imports it
    layer(
      "MainstayTesting", "Testing",
      ["Core", "Protobuf", "RPCCore", "RPCTransport", "Storage", "StoragePostgres", "StorageSQLite", "UseCases"]),

    .testTarget(
      name: "ServiceRuntimeTests",
      dependencies: [
        "ServiceRuntime", "MainstayTesting", "API", "Core", "Protobuf", "RPCCore", "RPCTransport", logging,
      ],
      path: "Tests/ServiceRuntime", exclude: ["channelz.py", "operators.py"], swiftSettings: strict),
    suite(
      "GatewayTests", "Gateway",
      ["Gateway", "ServiceRuntime", "MainstayTesting", "API", "Core", "RPCCore", "RPCTransport", logging]),

    .testTarget(
      name: "CLITests", dependencies: ["API", "Core", "RPCCore", "mainstay"], path: "Tests/CLI",
      exclude: ["Corpus"], swiftSettings: strict),
    suite("IntegrationTests", "Integration", ["API", "Core", "MainstayTesting", "RPCCore", "RPCTransport"]),
    suite(
      "LoadTests", "Load",
      ["API", "Core", "MainstayTesting", "RPCCore", "RPCTransport", "ServiceRuntime", "mainstay-load", logging]),

    .testTarget(
      name: "IdentityTests", dependencies: ["Identity", "MainstayTesting", "Core", "RPCCore", "Signatures"],
      path: "Tests/Identity", exclude: ["tokens.py"], swiftSettings: strict),
    suite("AuditProofTests", "AuditProof", ["AuditProof", "Core", "Signatures"]),
    suite(
      "AuditTests", "Audit",
      [
        "Audit", "AuditProof", "API", "Core", "MainstayTesting", "RPCCore", "Signatures", "Storage",
        "StoragePostgres", "StorageSQLite",
      ]),

    // Suites of the customer service
    suite("CoreTests", "Core", ["Core"]),
    suite("CustomerDomainTests", "Customer/Domain", ["CustomerDomain", "Core"]),
    suite(
      "CustomerServiceTests", "Customer/Service",
      [
        "CustomerService", "Events", "Jobs", "MainstayTesting", "API", "Core", "ProductCopies", "Protobuf", "RPCCore",
        "Storage", "StorageSQLite",
      ]),
    // Suites of the reporting service
    suite("ReportingDomainTests", "Reporting/Domain", ["ReportingDomain", "Core"]),
    suite(
      "ReportingServiceTests", "Reporting/Service",
      [
        "ReportingService", "ReportingDomain", "CustomerService", "AgentService", "PartnerService", "Events",
        "EventFollowing", "MainstayTesting", "API", "Core", "RPCCore", "RPCTransport", "ServiceRuntime", "Storage",
        "StorageSQLite", "UseCases", logging,
      ]),

    // Suites of the partner service
    suite("PartnerDomainTests", "Partner/Domain", ["PartnerDomain", "Core", "MainstayTesting"]),
    suite(
      "PartnerServiceTests", "Partner/Service",
      ["PartnerService", "API", "Core", "MainstayTesting", "Protobuf", "RPCCore", "Storage"]),
    suite(
      "ProductCopiesTests", "ProductCopies",
      [
        "ProductCopies", "EventFollowing", "PartnerService", "ServiceRuntime", "MainstayTesting", "API", "Core",
        "Protobuf", "RPCCore", "RPCTransport", "Storage", "StorageSQLite", logging,
      ]),

    // Suites of the agent service
    suite("AgentDomainTests", "Agent/Domain", ["AgentDomain", "Core"]),
    suite(
      "AgentServiceTests", "Agent/Service",
      ["AgentService", "MainstayTesting", "API", "Core", "ProductCopies", "Protobuf", "RPCCore", "Storage"]),

    suite(
      "UpgradeTests", "Upgrade/Schemas",
      [
        "AgentService", "CustomerService", "PartnerService", "ReportingService", "MainstayTesting", "Core", "Storage",
        "StorageSQLite",
      ]),
    // A release to come, for upgrades under load
    .executableTarget(
      name: "next-customer",
      dependencies: ["CustomerService", "Core", "RPCCore", "ServiceRuntime", "ServiceStorage", "Storage", "UseCases"],
      path: "Tests/Upgrade/NextCustomer", swiftSettings: strict),
    suite("DemoTests", "Demo", ["Demo", "AgentDomain", "Core", "CustomerDomain", "PartnerDomain"]),

    // House rules
    suite("ArchitectureTests", "Architecture", ["MainstayTesting"]),
    // Messages
    .target(name: "CProtobufFixtures", dependencies: ["CProtobufC"], path: "Tests/ProtobufFixtures/CProtobufFixtures"),
    .target(
      name: "ProtobufFixtures", dependencies: ["CProtobufFixtures", "Protobuf"],
      path: "Tests/ProtobufFixtures/ProtobufFixtures", swiftSettings: strict),
    .target(
      name: "ProtobufProperties", dependencies: ["API", "Core", "Protobuf", "ProtobufFixtures"],
      path: "Tests/ProtobufProperties",
      swiftSettings: strict),
    .testTarget(
      name: "ProtobufTests",
      dependencies: [
        "API", "CProtobufC", "Core", "MainstayTesting", "Protobuf", "ProtobufFixtures", "ProtobufProperties",
        "mainstay-protogen",
      ],
      path: "Tests/Protobuf", exclude: ["peer.py", "Corpus"], swiftSettings: strict),
    // Calls
    .testTarget(
      name: "RPCTests",
      dependencies: [
        "API", "Core", "MainstayTesting", "Protobuf", "RPCCore", "RPCInProcess", "RPCTransport", logging,
      ],
      path: "Tests/RPC",
      exclude: [
        "abuse.py", "conformance.py", "grpc_conformance.py", "grpc_messages.py", "grpc_server.py", "interop_suite.py",
        "raw_peer.py", "tls_client.py",
      ],
      swiftSettings: strict),
    // What must hold for whatever a peer sends: for a suite with a corpus, and for libFuzzer
    .target(
      name: "RPCProperties", dependencies: ["Core", "RPCCore", "RPCInProcess", "RPCTransport", logging],
      path: "Tests/RPCProperties/Properties", swiftSettings: strict),
    suite("RPCPropertyTests", "RPCProperties/Suite", ["Core", "RPCProperties"]),
    // Calls over a simulated network in virtual time: as a suite, and as a program for millions of calls
    .target(
      name: "RPCSimulation", dependencies: ["Core", "RPCCore", "RPCTransport", logging],
      path: "Tests/Simulation/RPCSimulation", swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["RPCSimulation"], path: "Tests/Simulation/simulate", swiftSettings: strict),
    suite("SimulationTests", "Simulation/Suite", ["RPCSimulation"]),
    .testTarget(
      name: "EventsTests",
      dependencies: [
        "CustomerService", "Events", "MainstayTesting", "API", "Core", "Protobuf", "RPCCore", "RPCTransport",
        "ServiceRuntime", "Storage", "StorageSQLite", "UseCases", "WebhookSending", "Webhooks", logging,
      ],
      path: "Tests/Events", exclude: ["sign_post.py", "slow_subscriber.py", "webhook_endpoint.py"],
      swiftSettings: strict),
    suite("JobsTests", "Jobs", ["Jobs", "Core", "MainstayTesting", "Storage", "StorageSQLite"]),
    // Data
    // A disk that loses power, as a file system of SQLite
    .target(name: "CCrashDisk", dependencies: ["CSQLite"], path: "Tests/CrashDisk"),
    suite(
      "StorageTests", "Storage",
      [
        "MainstayTesting", "Storage", "StorageCopying", "StoragePostgres", "StorageSQLite", "CCrashDisk", "CSQLite",
        "Core",
      ]),
  ]
)

// libFuzzer brings its own main, so this program exists only when scripts/fuzz.sh asks for it.
if Context.environment["MAINSTAY_FUZZ"] != nil {
  for (name, folder) in [("Protobuf", "ProtobufProperties"), ("RPC", "RPCProperties")] {
    package.targets.append(
      .executableTarget(
        name: "Fuzz\(name)", dependencies: [.target(name: folder)], path: "Tests/Fuzz/\(name)",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
  }
}

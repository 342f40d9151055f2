import Foundation
import Testing

@Suite struct LayerTests {
  @Test func manifestKeepsToTheTableOfLayers() async throws {
    let targets = try await manifestTargets()
    #expect(Layers.violations(of: targets) == [])
  }

  @Test func sourcesImportOnlyWhatTheirLayerMay() async throws {
    let targets = try await manifestTargets()
    for file in try Repository.sources() {
      let owner = targets.filter { file.path.hasPrefix($0.path + "/") }.max { $0.path.count < $1.path.count }
      guard let owner else {
        Issue.record("\(file.path) belongs to no target")
        continue
      }
      #expect(Layers.violations(ofImportsIn: file, target: owner.name) == [])
    }
  }

  @Test func plantedDependencyIsFound() {
    let planted = Target(name: "CustomerDomain", path: "Sources/Customer/Domain", dependencies: ["Core", "Storage"])
    #expect(Layers.violations(of: [planted]).map(\.problem) == ["CustomerDomain must not depend on Storage"])
  }

  @Test func plantedTargetWithoutEntryIsFound() {
    let planted = Target(name: "Utilities", path: "Sources/Utilities", dependencies: [])
    #expect(Layers.violations(of: [planted]).count == 1)
  }

  @Test(arguments: [
    "import CSQLite", "@preconcurrency import CSQLite", "internal import CSQLite", "import struct CSQLite.sqlite3",
    "import Foundation", "import CustomerService",
  ])
  func plantedImportIsFound(line: String) {
    let text = "import Core\n// import Storage\n\(line)\n"
    let file = SourceText(path: "Sources/Customer/Domain/Policy.swift", text: text)
    let found = Layers.violations(ofImportsIn: file, target: "CustomerDomain")
    #expect(found.map(\.line) == [3])
  }

  private func manifestTargets() async throws -> [Target] {
    let printed = try await Repository.manifest()
    let manifest = try JSONDecoder().decode(Manifest.self, from: printed)
    return manifest.targets.filter { $0.type != "test" }.map { target in
      Target(name: target.name, path: target.path ?? "", dependencies: target.dependencies.flatMap(\.names))
    }
  }
}

/// The part of `swift package dump-package` that counts here.
private struct Manifest: Decodable {
  struct Entry: Decodable {
    let name: String
    let type: String
    let path: String?
    let dependencies: [Dependency]
  }

  /// {"byName": ["Core", null]} or {"product": ["Logging", "swift-log", null, null]}: the name stands first.
  struct Dependency: Decodable {
    let names: [String]

    init(from decoder: any Decoder) throws {
      let kinds = try decoder.singleValueContainer().decode([String: [Part]].self)
      names = kinds.values.compactMap { $0.first?.text }
    }
  }

  /// A string, or anything else.
  struct Part: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
      text = try? decoder.singleValueContainer().decode(String.self)
    }
  }

  let targets: [Entry]
}

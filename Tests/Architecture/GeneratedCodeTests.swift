import Foundation
import Testing

@Suite struct GeneratedCodeTests {
  /// The generator as it was built: by `make test` in release, else by the tests themselves.
  private static let generator = [
    ProcessInfo.processInfo.environment["MAINSTAY_BIN"], Repository.root.appending(path: ".build/debug").path,
  ].compactMap(\.self).map { "\($0)/mainstay-protogen" }.first(where: FileManager.default.isExecutableFile)

  @Test(.enabled(if: generator != nil, "mainstay-protogen is not built"))
  func generatedCodeIsWhatTheProtosGive() async throws {
    let generator = try #require(Self.generator)
    let check = try await Repository.run(["scripts/generate.sh", "--check"], environment: ["PROTOGEN": generator])
    #expect(check.code == 0, "run make generate and commit what changes: \(check.output)\(check.errors)")
  }
}

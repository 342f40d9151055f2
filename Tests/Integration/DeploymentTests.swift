import Foundation
import MainstayTesting
import Testing

/// What is delivered beside the programs to run them: containers and units.
@Suite(
  .timeLimit(.minutes(10)), .enabled(if: Program.exists("mainstay") && Program.exists("mainstay-gateway")),
  .enabled("python3 with the packages of Tests/requirements.txt is needed") {
    try await Python.interpreter(with: ["yaml"]) != nil
  })
struct DeploymentTests {
  @Test func `Containers and units find the files, names, ports, packages and rights that they mention`() async throws {
    let home = try TemporaryFolder()
    let environment = ["MAINSTAY_HOME": home.path, "MAINSTAY_BIN": Program.folder]
    for _ in 0..<2 {
      let made = try await Program.run("\(Python.repository)/scripts/containers.sh", [], environment: environment)
      try #require(made.code == 0, "\(made.output) \(made.errors)")
    }
    let result = try #require(
      try await Python.run(
        script: "Tests/Integration/deployment.py", arguments: [Program.folder, home.path], modules: ["yaml"]))
    print(result.output)
    #expect(result.code == 0, "\(result.errors)")
  }
}

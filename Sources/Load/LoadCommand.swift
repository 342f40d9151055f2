import ArgumentParser
import Core
import Glibc
import RPCCore

/// mainstay-load: calls a server as often as it is told and tells how long the answers take. Exit codes: 0 done, 1 failed or
/// more errors than the budget, 2 wrong usage.
@main
struct LoadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mainstay-load",
    abstract: "Calls a gRPC server as often as it is told and measures the latencies.",
    discussion: """
      Without --rate the loop is closed: connections × streams calls at once, each answer begins the next one. With --rate it
      is open: calls are due at fixed times, and each latency counts from when its call was due, also if it had to wait.

      The request is JSON, on the command line or in a file (--data @FILE); {{counter}}, {{random}}, {{random:MIN:MAX}} and
      {{uuid}} in it are filled anew for each call. Several methods with weights: --mix FILE.

      Examples:
        mainstay-load grpc.testing.TestService/UnaryCall --data '{"responseSize": 200}' --target localhost:7000 --ca ca.pem \\
          --connections 16 --streams 16 --duration 10s
        mainstay-load grpc.health.v1.Health/Check --target localhost:7443 --ca ca.pem --cert me.pem --key me-key.pem \\
          --rate 5000 --connections 4 --streams 100 --warm-up 2s --error-budget 0.1% --json result.json
      """)

  @Argument(help: "PACKAGE.SERVICE/METHOD; known to this program, or asked of the server by reflection.") var method:
    String?
  @Option(help: "The request as JSON, or @FILE; {} without it.") var data: String?
  @Option(help: "YAML or JSON file with several calls and their weights, instead of a method.") var mix: String?
  @OptionGroup var target: TargetOptions
  @OptionGroup var pace: PaceOptions
  @Option(name: .customLong("metadata"), help: "KEY=VALUE to send along; may be repeated.") var pairs: [String] = []
  @Flag(help: "Ask the server for the methods' descriptions, even if they are known here.") var reflection = false
  @Option(help: "Share of calls that may fail, for example 0.1% or 0.001; more end with exit code 1.")
  var errorBudget = Share(value: 0)
  @Option(help: "File for the result as JSON.") var json: String?
  @Option(help: "File for the distribution of latencies, as HdrHistogram's tools read it (.hgrm).") var histogram:
    String?

  func run() async throws {
    let run = LoadRun(
      target: try target.loadTarget(), mix: try callMix(), plan: try pace.plan(seed: SystemRandom().next()),
      metadata: try metadata(), onlyReflection: reflection, showsProgress: isatty(STDERR_FILENO) == 1)
    let result = try await run.result()
    print(result.text, terminator: "")
    if let json { try TextFile.write(json, result.json) }
    if let histogram { try TextFile.write(histogram, result.figures.latencies.distributionText()) }
    guard result.calls > 0 else { throw LoadFailure("nothing was measured") }
    guard result.failedShare <= errorBudget.value else {
      throw LoadFailure(
        "\(decimal(result.failedShare * 100, digits: 3)) % of the calls failed; the budget is "
          + "\(decimal(errorBudget.value * 100, digits: 3)) %")
    }
  }

  private func callMix() throws(LoadFailure) -> CallMix {
    switch (method, mix) {
    case (let method?, nil): return try CallMix(method: method, request: try CallMix.requestText(data ?? "{}"))
    case (nil, let path?):
      guard data == nil else { throw .usage("--data belongs to a method; the calls of --mix have their own") }
      return try CallMix(text: String(decoding: try TextFile.read(path), as: UTF8.self), name: path)
    default: throw .usage("give a method, PACKAGE.SERVICE/METHOD, or --mix FILE")
    }
  }

  private func metadata() throws(LoadFailure) -> Metadata {
    var metadata = Metadata()
    for pair in pairs {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else { throw .usage("--metadata \(pair) is not KEY=VALUE") }
      metadata.add(String(parts[0]), String(parts[1]))
    }
    return metadata
  }

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
    } catch {
      end(error)
    }
  }

  /// Says what went wrong in one line, or prints the help that was asked for, and ends the process.
  private static func end(_ error: any Error) -> Never {
    fflush(nil)
    if let failure = LoadFailure(explaining: error) {
      complain(failure.message)
      Glibc.exit(failure.code)
    }
    guard exitCode(for: error) != .success else {
      print(fullMessage(for: error))
      Glibc.exit(0)
    }
    complain("\(message(for: error)) See 'mainstay-load --help'.")
    Glibc.exit(2)
  }

  private static func complain(_ text: String) {
    let bytes = Array("mainstay-load: \(text)\n".utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

import ArgumentParser

/// mainstay-interop: gRPC's interop tests.
@main
struct InteropCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mainstay-interop", abstract: "Both sides of gRPC's interop tests.",
    subcommands: [ServerCommand.self, ClientCommand.self])
}

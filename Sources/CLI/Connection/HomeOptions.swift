import ArgumentParser

/// The option that every command has: where the state is.
struct HomeOptions: ParsableArguments {
  @Option(help: "Folder of the state; .mainstay without it, or MAINSTAY_HOME.") var home: String?

  /// The folder that holds.
  var folder: StateFolder { StateFolder(flag: home) }
}

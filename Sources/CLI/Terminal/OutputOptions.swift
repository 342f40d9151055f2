import ArgumentParser

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case table, json, csv
}

/// The option that every command with results has.
struct OutputOptions: ParsableArguments {
  @Option(help: "table, json or csv. Without it: a table at a terminal, csv elsewhere.") var format: OutputFormat?

  /// The format that holds here.
  func resolved(_ terminal: Terminal) -> OutputFormat {
    format ?? (terminal.isInteractive ? .table : .csv)
  }
}

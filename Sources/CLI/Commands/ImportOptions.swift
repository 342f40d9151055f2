import ArgumentParser
import RPCTransport

/// What both import commands have.
struct ImportOptions: ParsableArguments {
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions
  @Argument(help: "The CSV file: UTF-8, with a header line.") var file: String
  @Option(help: "Which source the rows come from, for example a system's name: a-z, 0-9, \"-\", \"_\".") var source:
    String
  @Option(help: "The mapping file (YAML) from columns to fields.") var mapping: String
  @Option(help: "Where rows go that cannot be taken; FILE.rejects.csv without it.") var rejects: String?
  @Option(help: "Rows that are committed together, 1 to 1000.") var batch = 500

  func validate() throws {
    guard (1...ImportLimits.maximumBatchRows).contains(batch) else {
      throw ValidationError("--batch must be 1 to \(ImportLimits.maximumBatchRows).")
    }
    let allowed = source.utf8.allSatisfy {
      (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
    }
    guard allowed, (1...64).contains(source.utf8.count) else {
      throw ValidationError("--source must be 1 to 64 lower-case letters, digits, \"-\" or \"_\".")
    }
  }

  /// Imports, prints what came of it; exit code 1 if rows were rejected.
  func run<Target: ImportTarget>(_ target: Target.Type) throws {
    let mapping = try MappingFile.read(mapping)
    guard Target.kinds.contains(mapping.kind) else {
      throw CommandFailure.usage(
        "\(mapping.name) is for \(mapping.kind.rawValue) records, which this command does not import")
    }
    let (file, source, batch, rejectPath) = (file, source, batch, rejects ?? "\(file).rejects.csv")
    let terminal = Terminal.current()
    guard FilePaths.absolute(rejectPath) != FilePaths.absolute(file) else {
      throw CommandFailure.usage("--rejects names the file that is imported; name another")
    }
    // The file is looked at before the server is asked for anything.
    let input = try InputFile(file)
    let bound = try mapping.bind(header: input.columns, file: file)
    let summary = try connection.withSession { session in
      let progress = ImportProgress(isShown: terminal.showsProgress, totalBytes: input.size, clock: session.loop.clock)
      let rejects = try RejectFile(path: rejectPath, header: input.header.fields)
      return try await ImportRun(
        target, session: session, source: source,
        records: MappedFile<Target>(input, mapping: bound, rejects: rejects), progress: progress, batchRows: batch
      ).run()
    }
    print(summary, terminal, countsMissing: mapping.rules.contains(where: \.nonPositiveIsMissing))
    guard summary.rejected == 0 else {
      let rows = summary.rejected == 1 ? "1 row was" : "\(summary.rejected) rows were"
      throw CommandFailure("\(rows) not taken; \(rejectPath) has them with line and reason")
    }
  }

  private func print(_ summary: ImportSummary, _ terminal: Terminal, countsMissing: Bool) {
    let missing = countsMissing ? [("missing_amounts", "\(summary.missingAmounts)")] : []
    let numbers =
      [
        ("created", "\(summary.created)"), ("updated", "\(summary.updated)"), ("unchanged", "\(summary.unchanged)"),
        ("rejected", "\(summary.rejected)"),
      ] + missing + [("seconds", ImportOptions.fixed(summary.seconds))]
    let listing = Listing(
      numbers.map(\.0), format: output.resolved(terminal), terminal: terminal, output: StandardOutput())
    listing.addOnly(numbers.map(\.1), json: JSONText.object(numbers))
    if summary.repeatedBatches > 0 {
      StandardError.write("mainstay: the connection broke; \(summary.repeatedBatches) batches were sent again\n")
    }
  }

  /// Seconds with two decimals.
  static func fixed(_ seconds: Double) -> String {
    let hundredths = Int((seconds * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}

import API
import ArgumentParser

/// mainstay policies.
struct PoliciesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policies",
    abstract: "Imports and lists policies.",
    discussion: """
      Examples:
        mainstay policies import policies.csv --source core --mapping policies.yaml
        mainstay policies list --source core
      """,
    subcommands: [ImportCommand.self, ImportPremiumsCommand.self, ListCommand.self])

  struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Takes policies from a CSV file.",
      discussion: """
        A policy whose policyholder is not known makes a party for it. For the rest it works like customers import.

        Example:
          mainstay policies import policies.csv --source core --mapping policies.yaml
        """)

    @OptionGroup var options: ImportOptions

    func run() throws { try options.run(PolicyImport.self) }
  }

  struct ImportPremiumsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import-premiums", abstract: "Takes instalments of premiums from a CSV file.",
      discussion: """
        The mapping is of kind premium; its key is the policy's number in the same source. A row for a due date that is there
        corrects it. For the rest it works like customers import.

        Example:
          mainstay policies import-premiums premiums.csv --source core --mapping premiums.yaml
        """)

    @OptionGroup var options: ImportOptions

    func run() throws { try options.run(PremiumImport.self) }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists policies in order of creation.",
      discussion: "Example:\n  mainstay policies list --customer cus_01J9ZQ6V6T3M3B5X0Y7N2K8R4D")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only those of this source.") var source: String?
    @Option(help: "Only those of this customer, cus_….") var customer: String?
    @Option(help: "Only those of this policyholder, par_….") var party: String?
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func validate() throws {
      guard [source, customer, party].compactMap({ $0 }).count <= 1 else {
        throw ValidationError("Give one of --source, --customer and --party.")
      }
    }

    func run() throws {
      let columns = [
        "policy_id", "source_key", "policyholder_party_id", "product_code", "state", "issue_date", "premium",
      ]
      let filter = ListPoliciesRequest(
        policyholderPartyID: party ?? "", source: source ?? "", customerID: customer ?? "")
      try connection.list(output, columns: columns, limit: limit, cells: ListCommand.cells) {
        session, pageSize, token in
        var request = filter
        request.pageSize = pageSize
        request.pageToken = token
        let reply = try await PolicyServiceClient(channel: session.channel).listPolicies(
          request, options: session.unaryOptions())
        return (reply.policies, reply.nextPageToken)
      }
    }

    private static let cells: @Sendable (Policy) -> [String] = { policy in
      [
        policy.policyID, policy.sourceKey, policy.policyholderPartyID, policy.productCode,
        String(policy.state.name.dropFirst("POLICY_STATE_".count)), policy.issueDate?.isoText ?? "",
        policy.annualPremium.map { "\($0.minorUnits) minor units \($0.currencyCode)" } ?? "",
      ]
    }
  }
}

import API
import ArgumentParser
import Core
import Protobuf
import RPCCore

/// mainstay customers.
struct CustomersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "customers",
    abstract: "Imports, lists, finds and shows customers.",
    discussion: """
      Examples:
        mainstay customers import febrl1.csv --source febrl1 --mapping services/customer/mappings/febrl.yaml
        mainstay customers search "li ming"
        mainstay customers clusters --source febrl1 --format csv
      """,
    subcommands: [
      ImportCommand.self, ListCommand.self, GetCommand.self, SearchCommand.self, ClustersCommand.self,
    ])

  static let columns = ["customer_id", "display_name", "parties", "sources"]

  static func cells(_ customer: Customer) -> [String] {
    let sources = customer.parties.map { "\($0.source):\($0.sourceKey)" }.joined(separator: " ")
    return [customer.customerID, customer.displayName, "\(customer.parties.count)", sources]
  }

  struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Takes people or companies from a CSV file.",
      discussion: """
        Rows that are there already are compared and updated, so a broken import is simply run again. Rows that cannot be taken
        go into the reject file with their line and the reason; the exit code is then 1. A repaired reject file can be imported
        like any other.

        Example:
          mainstay customers import febrl1.csv --source febrl1 --mapping services/customer/mappings/febrl.yaml
        """)

    @OptionGroup var options: ImportOptions

    func run() throws { try options.run(PartyImport.self) }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists customers in order of creation.",
      discussion: "Example:\n  mainstay customers list --limit 100 --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func run() throws {
      try connection.list(output, columns: CustomersCommand.columns, limit: limit, cells: CustomersCommand.cells) {
        session, pageSize, token in
        let reply = try await CustomerServiceClient(channel: session.channel).listCustomers(
          ListCustomersRequest(pageSize: pageSize, pageToken: token), options: session.unaryOptions())
        return (reply.customers, reply.nextPageToken)
      }
    }
  }

  struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "get", abstract: "Shows a customer with its parties.",
      discussion: "Example:\n  mainstay customers get cus_01J9ZQ6V6T3M3B5X0Y7N2K8R4D --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The customer's id, cus_….") var id: String

    func run() throws {
      let id = id
      let customer = try connection.withSession { session in
        try await CustomerServiceClient(channel: session.channel).getCustomer(
          GetCustomerRequest(customerID: id), options: session.unaryOptions())
      }
      let terminal = Terminal.current()
      let format = output.resolved(terminal)
      if format == .json { return printLine(try MessageJSON.text(customer, pretty: true)) }
      let columns = ["customer_id", "party_id", "source", "source_key", "name", "birth_date"]
      let listing = Listing(columns, format: format, terminal: terminal, output: StandardOutput())
      for party in customer.parties {
        listing.add([
          customer.customerID, party.partyID, party.source, party.sourceKey, name(party), birthDate(party),
        ])
      }
      listing.finish()
    }

    private func name(_ party: Party) -> String {
      switch party.kind {
      case .person(let person)?:
        person.fullName.isEmpty
          ? [person.givenName, person.familyName].filter { !$0.isEmpty }.joined(separator: " ") : person.fullName
      case .company(let company)?: company.name
      case nil: ""
      }
    }

    private func birthDate(_ party: Party) -> String {
      guard case .person(let person)? = party.kind, let date = person.birthDate else { return "" }
      return date.isoText
    }
  }

  struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "search", abstract: "Finds customers by words of their names, best first.",
      discussion: "Examples:\n  mainstay customers search smith\n  mainstay customers search 王小明 --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Words of a name, or their beginnings.") var query: String
    @Option(help: "How many at most; 0 lists all.") var limit = 20

    func run() throws {
      let query = query
      try connection.list(output, columns: CustomersCommand.columns, limit: limit, cells: CustomersCommand.cells) {
        session, pageSize, token in
        let reply = try await CustomerServiceClient(channel: session.channel).searchCustomers(
          SearchCustomersRequest(query: query, pageSize: min(pageSize, 200), pageToken: token),
          options: session.unaryOptions())
        return (reply.customers, reply.nextPageToken)
      }
    }
  }

  struct ClustersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "clusters", abstract: "Lists which customer each record of a source belongs to.",
      discussion: "Example:\n  mainstay customers clusters --source febrl1 --format csv")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "The source's name.") var source: String

    func run() throws {
      let source = source
      try connection.list(output, columns: ["source_key", "customer_id"], cells: { [$0.sourceKey, $0.customerID] }) {
        (session, pageSize, token) -> ([Membership], String) in
        let reply = try await CustomerServiceClient(channel: session.channel).listMemberships(
          ListMembershipsRequest(source: source, pageSize: pageSize, pageToken: token), options: session.unaryOptions())
        return (reply.memberships, reply.nextPageToken)
      }
    }
  }
}

extension CalendarDate {
  /// "2026-11-21"; parts that are not known are 0.
  var isoText: String {
    "\(decimal(Int(year), digits: 4))-\(decimal(Int(month), digits: 2))-\(decimal(Int(day), digits: 2))"
  }
}

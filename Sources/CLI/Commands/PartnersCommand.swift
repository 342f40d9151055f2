import API
import ArgumentParser

/// mainstay partners.
struct PartnersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "partners",
    abstract: "Records, lists and shows partners: brokers, banks, insurers.",
    discussion: """
      Examples:
        mainstay partners create BANK-1 --name "First Bank" --kind bank --from 2026-01-01
        mainstay partners list --kind bank
      """,
    subcommands: [ListCommand.self, GetCommand.self, CreateCommand.self])

  private static let columns = ["partner_id", "code", "name", "kind", "uscc", "contract_from", "contract_until"]

  private static let cells: @Sendable (Partner) -> [String] = { partner in
    [
      partner.partnerID, partner.code, partner.name, String(partner.kind.name.dropFirst("PARTNER_KIND_".count)),
      partner.uscc, partner.contractFrom?.isoText ?? "", partner.contractUntil?.isoText ?? "",
    ]
  }

  private static func kind(_ text: String) throws -> PartnerKind {
    guard let kind = EnumNames.partnerKind(text) else {
      throw CommandFailure.usage("--kind \(text) is none of intermediary, bank, insurer, ecosystem")
    }
    return kind
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists partners in order of creation.",
      discussion: "Example:\n  mainstay partners list --kind insurer --format csv")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only those of this kind: intermediary, bank, insurer or ecosystem.") var kind: String?
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func run() throws {
      let kind = try kind.map { try PartnersCommand.kind($0) } ?? .unspecified
      try connection.list(output, columns: PartnersCommand.columns, limit: limit, cells: PartnersCommand.cells) {
        session, pageSize, token in
        let reply = try await PartnerServiceClient(channel: session.channel).listPartners(
          ListPartnersRequest(kind: kind, pageSize: pageSize, pageToken: token), options: session.unaryOptions())
        return (reply.partners, reply.nextPageToken)
      }
    }
  }

  struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "get", abstract: "Shows a partner.",
      discussion: "Example:\n  mainstay partners get prt_01J9ZQ6V6T3M3B5X0Y7N2K8R4D --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The partner's id, prt_….") var id: String

    func run() throws {
      let id = id
      let partner = try connection.withSession { session in
        try await PartnerServiceClient(channel: session.channel).getPartner(
          GetPartnerRequest(partnerID: id), options: session.unaryOptions())
      }
      try output.show(partner, columns: PartnersCommand.columns, cells: PartnersCommand.cells)
    }
  }

  struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Records a partner.",
      discussion: "Example:\n  mainstay partners create INS-1 --name \"First Life\" --kind insurer --from 2026-01-01")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Short code: upper-case letters, digits and \"-\".") var code: String
    @Option(help: "Its name.") var name: String
    @Option(help: "intermediary, bank, insurer or ecosystem.") var kind: String
    @Option(help: "First day of the agreement, 2026-01-01; without it today.") var from: Day?
    @Option(help: "Last day of the agreement; without it the agreement has no end.") var until: Day?
    @Option(help: "统一社会信用代码.") var uscc: String?

    func run() throws {
      let partner = Partner(
        code: code, name: name, kind: try PartnersCommand.kind(kind), uscc: uscc ?? "",
        contractFrom: (from ?? .today).message, contractUntil: until?.message)
      let created = try connection.withSession { session in
        try await PartnerServiceClient(channel: session.channel).createPartner(
          CreatePartnerRequest(partner: partner), options: session.unaryOptions())
      }
      try output.show(created, columns: PartnersCommand.columns, cells: PartnersCommand.cells)
    }
  }
}

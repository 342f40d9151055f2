import API
import ArgumentParser
import RPCCore

/// mainstay products.
struct ProductsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "products",
    abstract: "Puts products on sale, lists, shows and withdraws them.",
    discussion: """
      Examples:
        mainstay products create WL-1 --name "Whole life" --line whole-life --sale online:2026-01-01
        mainstay products list --channel online
        mainstay products withdraw WL-1 --reason "rates no longer filed"
        mainstay products copies WL-1
      """,
    subcommands: [
      ListCommand.self, GetCommand.self, CreateCommand.self, WithdrawCommand.self, CopiesCommand.self,
    ])

  private static let columns = ["product_id", "code", "name", "line", "state", "versions", "sale_windows"]

  private static let cells: @Sendable (Product) -> [String] = { product in
    let windows = product.saleWindows.map { window in
      let channel = window.channel.name.dropFirst("SALE_CHANNEL_".count)
      return "\(channel):\(window.from?.isoText ?? ""):\(window.until?.isoText ?? "")"
    }
    return [
      product.productID, product.code, product.name, String(product.line.name.dropFirst("PRODUCT_LINE_".count)),
      String(product.state.name.dropFirst("PRODUCT_STATE_".count)), "\(product.versions.count)",
      windows.joined(separator: " "),
    ]
  }

  private static func channel(_ text: String, _ option: String) throws -> SaleChannel {
    guard let channel = EnumNames.saleChannel(text) else {
      throw CommandFailure.usage(
        "\(option) \(text) is none of individual-agent, intermediary, bancassurance, online, telesales, group")
    }
    return channel
  }

  /// The product that a person names: by its id, or by its code.
  private static func product(_ name: String, _ session: Session) async throws -> Product {
    let request = name.hasPrefix("prd_") ? GetProductRequest(productID: name) : GetProductRequest(code: name)
    return try await ProductServiceClient(channel: session.channel).getProduct(request, options: session.unaryOptions())
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists products in order of creation.",
      discussion: "Example:\n  mainstay products list --channel bancassurance --format csv")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only those that may be sold through this channel today.") var channel: String?
    @Option(help: "How many at most; 0 lists all.") var limit = 0

    func run() throws {
      let channel = try channel.map { try ProductsCommand.channel($0, "--channel") } ?? .unspecified
      try connection.list(output, columns: ProductsCommand.columns, limit: limit, cells: ProductsCommand.cells) {
        session, pageSize, token in
        let reply = try await ProductServiceClient(channel: session.channel).listProducts(
          ListProductsRequest(onSaleChannel: channel, pageSize: pageSize, pageToken: token),
          options: session.unaryOptions())
        return (reply.products, reply.nextPageToken)
      }
    }
  }

  struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "get", abstract: "Shows a product.",
      discussion: "Example:\n  mainstay products get WL-1 --format json")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The product's code or id, prd_….") var product: String

    func run() throws {
      let name = product
      let product = try connection.withSession { session in try await ProductsCommand.product(name, session) }
      try output.show(product, columns: ProductsCommand.columns, cells: ProductsCommand.cells)
    }
  }

  struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Puts a product on sale.",
      discussion: """
        Example:
          mainstay products create WL-1 --name "Whole life" --line whole-life --sale online:2026-01-01 \\
            --sale bancassurance:2026-01-01:2026-12-31
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Its code: upper-case letters, digits and \"-\".") var code: String
    @Option(help: "Its name.") var name: String
    @Option(help: "whole-life, term-life, endowment, annuity, critical-illness, medical or accident.") var line: String
    @Option(help: "First day of its first version, 2026-01-01; without it today.") var from: Day?
    @Option(help: "A window CHANNEL:FIRST-DAY[:LAST-DAY]; may be repeated.") var sale: [String] = []
    @Option(help: "The insurer, prt_…; the house's own without it.") var insurer: String?

    func run() throws {
      guard let line = EnumNames.productLine(line) else {
        throw CommandFailure.usage(
          "--line \(line) is none of whole-life, term-life, endowment, annuity, critical-illness, medical, accident")
      }
      let product = Product(
        code: code, name: name, line: line, insurerPartnerID: insurer ?? "",
        versions: [ProductVersion(from: (from ?? .today).message)], saleWindows: try sale.map(CreateCommand.window))
      let created = try connection.withSession { session in
        try await ProductServiceClient(channel: session.channel).createProduct(
          CreateProductRequest(product: product), options: session.unaryOptions())
      }
      try output.show(created, columns: ProductsCommand.columns, cells: ProductsCommand.cells)
    }

    private static func window(_ text: String) throws -> SaleWindow {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      let days = parts.dropFirst().map { Day(argument: $0) }
      guard (2...3).contains(parts.count), !days.contains(where: { $0 == nil }) else {
        throw CommandFailure.usage("--sale \(text) is not CHANNEL:FIRST-DAY[:LAST-DAY], for example online:2026-01-01")
      }
      return SaleWindow(
        channel: try ProductsCommand.channel(parts[0], "--sale"), from: days.first??.message,
        until: days.count == 2 ? days.last??.message : nil)
    }
  }

  struct WithdrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "withdraw", abstract: "Takes a product off sale, at once and for good.",
      discussion: "Example:\n  mainstay products withdraw WL-1 --reason \"rates no longer filed\"")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The product's code or id, prd_….") var product: String
    @Option(help: "Why.") var reason: String

    func run() throws {
      let (name, reason) = (product, reason)
      let withdrawn = try connection.withSession { session in
        let product = try await ProductsCommand.product(name, session)
        return try await ProductServiceClient(channel: session.channel).withdrawProduct(
          WithdrawProductRequest(productID: product.productID, reason: reason), options: session.unaryOptions())
      }
      try output.show(withdrawn, columns: ProductsCommand.columns, cells: ProductsCommand.cells)
    }
  }
}

import API
import ArgumentParser
import RPCCore

extension ProductsCommand {
  /// mainstay products copies.
  struct CopiesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "copies",
      abstract: "Shows what the other services know of the products: how far a withdrawal has come.",
      discussion: """
        A service that has not all of the partner service's news, or could not read some, is named on standard error. The exit
        code is 1 if a service does not answer.

        Examples:
          mainstay products copies
          mainstay products copies WL-1 --format csv
          mainstay products copies --service agent
        """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Only the product with this code.") var code: String?
    @Option(help: "Only this service: customer, agent or reporting.") var service: String?

    func run() throws {
      let known = ServiceDefinition.productFollowers.map(\.name)
      let services = known.filter { service == nil || $0 == service }
      guard !services.isEmpty else {
        throw CommandFailure.usage("--service \(service ?? "") is none of \(known.joined(separator: ", "))")
      }
      let terminal = Terminal.current()
      let format = output.resolved(terminal)
      let code = code
      let isComplete = try connection.withSession { session in
        let listing = Listing(
          ["service", "code", "product_id", "name", "state", "version"], format: format, terminal: terminal,
          output: StandardOutput())
        var isComplete = true
        for service in services {
          do {
            let status = try await Self.copies(service, code, session) { copy in
              listing.add([
                service, copy.code, copy.productID, copy.name,
                String(copy.state.name.dropFirst("PRODUCT_COPY_STATE_".count)), "\(copy.version)",
              ])
            }
            Self.tell(service, status)
          } catch {
            let error = RPCError(converting: error)
            let isUnknown = code != nil && error.code == .notFound
            if !isUnknown { isComplete = false }
            StandardError.write("mainstay: \(service): \(isUnknown ? error.message : error.description)\n")
          }
        }
        listing.finish()
        return isComplete
      }
      if !isComplete { throw ExitCode(1) }
    }

    /// Hands over what a service knows, and gives how far that is.
    private static func copies(
      _ service: String, _ code: String?, _ session: Session, _ take: (ProductCopy) -> Void
    ) async throws -> ProductCopyStatus {
      let client = ProductCopyServiceClient(channel: session.channel)
      var metadata = Metadata()
      metadata.add("mainstay-service", service)
      if let code {
        let reply = try await client.getProductCopy(
          GetProductCopyRequest(code: code), options: session.unaryOptions(metadata))
        if let product = reply.product { take(product) }
        return reply.status ?? ProductCopyStatus()
      }
      var request = ListProductCopiesRequest(pageSize: 1_000)
      while true {
        let reply = try await client.listProductCopies(request, options: session.unaryOptions(metadata))
        for product in reply.products { take(product) }
        request.pageToken = reply.nextPageToken
        if request.pageToken.isEmpty { return reply.status ?? ProductCopyStatus() }
      }
    }

    private static func tell(_ service: String, _ status: ProductCopyStatus) {
      if !status.caughtUp {
        let reason = status.connected ? "has not all of its news yet" : "is cut off from it"
        StandardError.write("mainstay: \(service) may be behind the partner service: it \(reason)\n")
      }
      if status.unreadableEvents > 0 {
        StandardError.write("mainstay: \(service) could not read \(status.unreadableEvents) events\n")
      }
    }
  }
}

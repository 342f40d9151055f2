import ArgumentParser
import Core
import Glibc
import RPCTransport

/// mainstay certs.
struct CertsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "certs",
    abstract: "Makes development certificates and tokens in the state folder, and lists the certificates.",
    discussion: """
      Examples:
        mainstay certs create --name alice --role back-office
        mainstay certs token --name mei.lin --role back-office
        mainstay certs list
      """,
    subcommands: [InitCommand.self, CreateCommand.self, TokenCommand.self, ListCommand.self])

  struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "init", abstract: "Makes the authority and the certificates of the administrator and the services.",
      discussion: "What is there stays as it is.\n\nExample:\n  mainstay certs init")

    @OptionGroup var home: HomeOptions

    func run() throws {
      try home.folder.create()
      try DevelopmentCertificates(folder: home.folder).createMissing()
      printLine("Certificates are in \(home.folder.pki)")
    }
  }

  struct CreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Makes a certificate and its key for a user or a service.",
      discussion: """
        The name and the role are what permissions are checked by. With --host the certificate can be a server's too.

        Examples:
          mainstay certs create --name alice --role back-office
          mainstay certs create --name customer --role service --host customer.internal
        """)

    /// Longest validity, in days: that of the authority.
    static let maximumDays = DevelopmentCertificates.authorityDays

    @OptionGroup var home: HomeOptions
    @Option(help: "Name of the user or service, and of the files.") var name: String
    @Option(help: "Role, for example administrator, service, back-office, agent, auditor, data-steward.") var role:
      String
    @Option(help: "DNS name or IP address of a server; may be repeated.") var host: [String] = []
    @Option(help: "How long it holds.") var days = DevelopmentCertificates.certificateDays

    func validate() throws {
      guard (1...CreateCommand.maximumDays).contains(days) else {
        throw ValidationError("--days must be 1 to \(CreateCommand.maximumDays).")
      }
      for word in [name, role] where !isPlainWord(word) {
        throw ValidationError(plainWordRule(word))
      }
      if name == "ca" { throw ValidationError("\"ca\" is the authority's own name; choose another.") }
    }

    func run() throws {
      try home.folder.create()
      let certificates = DevelopmentCertificates(folder: home.folder)
      let paths = home.folder.certificate(name)
      guard !Files.exists(paths.chain) else {
        throw CommandFailure("\(paths.chain) is there already; remove it first to make another")
      }
      let subject = CertificateAuthority.Subject(commonName: name, organizationalUnit: role, hosts: host)
      try certificates.create(subject, days: days, authority: try certificates.authority())
      printLine(paths.chain)
      printLine(paths.key)
    }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Lists the certificates and when they expire.",
      discussion: "Example:\n  mainstay certs list --format json")

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      let terminal = Terminal.current()
      let listing = Listing(
        ["name", "role", "expiry", "file"], format: output.resolved(terminal), terminal: terminal,
        output: StandardOutput())
      for path in try Files.names(in: home.folder.pki).filter({ $0.hasSuffix(".pem") && !$0.hasSuffix("-key.pem") }) {
        let path = "\(home.folder.pki)/\(path)"
        guard let facts = CertificateFacts(pem: try Files.text(path)) else { continue }
        listing.add([
          facts.commonName, facts.organizationalUnit, String(facts.expiry.iso8601.prefix(10)), path,
        ])
      }
      listing.finish()
    }
  }
}

/// Prints one line at once.
func printLine(_ text: String) {
  let output = StandardOutput()
  output.write(text + "\n")
  output.flush()
}

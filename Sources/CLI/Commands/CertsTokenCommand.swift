import ArgumentParser
import Core
import Identity
import Signatures

extension CertsCommand {
  struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "token", abstract: "Makes a bearer token for tests and prints it: a secret, good for a few minutes.",
      discussion: """
        Signed with the key of the state folder, which is made with its public half if there is none; "mainstay up" gives the
        public one to the gateway and the services. A token counts before a certificate, and its roles are all that its owner has.

        Examples:
          mainstay certs token --name mei.lin --role back-office > token
          mainstay call mainstay.customer.v1.CustomerService/ListCustomers --token-file token
        """)

    @OptionGroup var home: HomeOptions
    @Option(help: "Name of the user.") var name: String
    @Option(help: "Role, for example back-office, agent, auditor; may be repeated.") var role: [String]
    @Option(help: "How long it is good, for example 90s; 5m at most, and without it.") var valid: CallDuration?
    @Flag(help: "Say that the user has shown a second factor.") var secondFactor = false

    func validate() throws {
      for word in [name] + role where !isPlainWord(word) { throw ValidationError(plainWordRule(word)) }
      guard !role.contains("service") else {
        throw ValidationError("\"service\" is no role of a token: services are known by their certificates.")
      }
      guard (1...UnsignedToken.maximumSeconds).contains(seconds) else {
        throw ValidationError("--valid must be 1s to \(UnsignedToken.maximumSeconds)s.")
      }
    }

    func run() throws {
      try home.folder.create()
      let tokens = DevelopmentTokens(folder: home.folder)
      var token = UnsignedToken(
        subject: name, roles: role, issuer: DevelopmentTokens.issuer, audience: DevelopmentTokens.audience)
      token.hasSecondFactor = secondFactor
      token.seconds = seconds
      let key = try tokens.key()
      do { printLine(try token.signed(by: key, clock: tokens.clock, random: tokens.random)) } catch {
        throw CommandFailure(error.description)
      }
    }

    private var seconds: Int64 { valid?.duration.components.seconds ?? UnsignedToken.maximumSeconds }
  }
}

/// Whether a text can be the name of a user, a service or a role.
func isPlainWord(_ word: String) -> Bool {
  word.first?.isLetter == true && word.utf8.count <= 64
    && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
}

/// What to say of one that cannot.
func plainWordRule(_ word: String) -> String {
  "\"\(word)\" must be 1 to 64 letters, digits, \"-\", \"_\" or \".\" and begin with a letter."
}

import AuditProof
import Core
import RPCTransport
import Signatures

/// The certificates of `mainstay up`: an authority of this state folder's own, one for the administrator, one per service.
struct DevelopmentCertificates: Sendable {
  /// Name of the administrator's certificate.
  static let administrator = "admin"
  /// How long a certificate holds: what public authorities allowed at most until 2020, and clients still take.
  static let certificateDays = 825
  /// How long the authority holds.
  static let authorityDays = 3_650
  /// Where the services of one machine answer.
  static let localHosts = ["localhost", "127.0.0.1", "::1"]

  let folder: StateFolder
  let clock = SystemClock()
  let random = SystemRandom()

  /// Makes what is missing; what is there stays.
  func createMissing() throws {
    let authority = try authority()
    var wanted = [(DevelopmentCertificates.administrator, "administrator", [String]())]
    wanted += ServiceDefinition.all.map { ($0.name, "service", DevelopmentCertificates.localHosts) }
    for (name, role, hosts) in wanted where !Files.exists(folder.certificate(name).chain) {
      let subject = CertificateAuthority.Subject(commonName: name, organizationalUnit: role, hosts: hosts)
      try create(subject, days: DevelopmentCertificates.certificateDays, authority: authority)
    }
    try createMissingAuditKeys()
    _ = try DevelopmentTokens(folder: folder).key()
  }

  /// A key for each service's audit log, and the list of the public ones. A line that is there stays: what its key has signed is to be
  /// verified when there is another one.
  private func createMissingAuditKeys() throws {
    var text = Files.exists(folder.auditKeys) ? try Files.text(folder.auditKeys) : ""
    for service in ServiceDefinition.audited {
      let path = folder.auditKey(of: service)
      do {
        if !Files.exists(path) { try Files.write(try SigningKey(random: random).pem(), to: path) }
        let key = LogKey(name: "mainstay/\(service.name)", publicKey: try SigningKey(path: path).publicKey)
        let line = key.description
        if !text.split(separator: "\n").contains(where: { $0 == line }) { text += line + "\n" }
      } catch let error as KeyError {
        throw CommandFailure(error.description)
      }
    }
    if try !Files.exists(folder.auditKeys) || Files.text(folder.auditKeys) != text {
      try Files.write(text, to: folder.auditKeys)
    }
  }

  /// Makes a certificate and its key.
  func create(_ subject: CertificateAuthority.Subject, days: Int, authority: CertificateAuthority) throws {
    let identity = try authority.issue(subject, days: days, clock: clock, random: random)
    try write(identity, to: folder.certificate(subject.commonName))
  }

  /// The authority, made if there is none.
  func authority() throws -> CertificateAuthority {
    let paths = folder.certificate("ca")
    if Files.exists(paths.chain), Files.exists(paths.key) {
      return CertificateAuthority(
        identity: .init(certificatePEM: try Files.text(paths.chain), privateKeyPEM: try Files.text(paths.key)))
    }
    guard !Files.exists(paths.chain) else {
      throw CommandFailure(
        "\(paths.key) is missing: without it no certificate can be made that \(paths.chain) vouches for")
    }
    let authority = try CertificateAuthority(
      name: "Mainstay development authority", days: DevelopmentCertificates.authorityDays, clock: clock, random: random)
    try write(authority.identity, to: paths)
    return authority
  }

  /// The key first: a certificate that is there has its key.
  private func write(_ identity: CertificateAuthority.Identity, to paths: (chain: String, key: String)) throws {
    try Files.write(identity.privateKeyPEM, to: paths.key)
    try Files.write(identity.certificatePEM, to: paths.chain)
  }
}

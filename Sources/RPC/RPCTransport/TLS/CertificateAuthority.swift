import COpenSSL
import Core

/// A certificate authority for development and tests: ECDSA P-256, PEM. Its certificates name their owner in CN and the
/// owner's role in OU, which is what services and gateway read.
public struct CertificateAuthority: Sendable {
  /// A certificate with its private key, both in PEM.
  public struct Identity: Sendable {
    /// The certificate.
    public let certificatePEM: String
    /// Its private key, PKCS #8: a secret.
    public let privateKeyPEM: String

    /// A certificate and the key that belongs to it.
    public init(certificatePEM: String, privateKeyPEM: String) {
      (self.certificatePEM, self.privateKeyPEM) = (certificatePEM, privateKeyPEM)
    }
  }

  /// What a certificate shall say.
  public struct Subject: Sendable {
    /// Name of the user or service.
    public var commonName: String
    /// "service", or the user's role, for example "administrator".
    public var organizationalUnit: String
    /// DNS names and IP addresses that a server answers at; empty for a client.
    public var hosts: [String]

    /// What a certificate shall say.
    public init(commonName: String, organizationalUnit: String, hosts: [String] = []) {
      self.commonName = commonName
      self.organizationalUnit = organizationalUnit
      self.hosts = hosts
    }
  }

  /// The authority's own certificate and key.
  public let identity: Identity

  /// An authority that exists already.
  public init(identity: Identity) {
    self.identity = identity
  }

  /// A new authority, valid for so many days from now.
  public init(name: String, days: Int, clock: some Clock, random: some RandomSource) throws(TransportError) {
    let subject = Subject(commonName: name, organizationalUnit: "authority")
    identity = try CertificateAuthority.issue(
      subject, isAuthority: true, days: days, clock: clock, random: random, authority: nil)
  }

  /// An authority below this one, valid for so many days from now. Whoever trusts this one trusts what it issues, if its
  /// certificate is sent along.
  public func subordinate(
    name: String, days: Int, clock: some Clock, random: some RandomSource
  ) throws(TransportError) -> CertificateAuthority {
    let subject = Subject(commonName: name, organizationalUnit: "authority")
    return CertificateAuthority(
      identity: try CertificateAuthority.issue(
        subject, isAuthority: true, days: days, clock: clock, random: random, authority: identity))
  }

  /// A certificate for a server or client, valid for so many days from now.
  public func issue(
    _ subject: Subject, days: Int, clock: some Clock, random: some RandomSource
  ) throws(TransportError) -> Identity {
    try CertificateAuthority.issue(
      subject, isAuthority: false, days: days, clock: clock, random: random, authority: identity)
  }

  private static func issue(
    _ subject: Subject, isAuthority: Bool, days: Int, clock: some Clock, random: some RandomSource,
    authority: Identity?
  ) throws(TransportError) -> Identity {
    guard let certificate = X509_new(), let key = mainstay_p256_key() else { throw failure("make a key") }
    defer {
      X509_free(certificate)
      EVP_PKEY_free(key)
    }
    let issuer = try authority.map { (identity) throws(TransportError) in try Issuer(identity) }
    X509_set_version(certificate, 2)
    var serial = [random.next() >> 1, random.next()]
    let number = BN_bin2bn(&serial, 16, nil)
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
    BN_free(number)
    let now = Int(clock.now().seconds)
    ASN1_TIME_set(X509_getm_notBefore(certificate), now - 3_600)
    ASN1_TIME_set(X509_getm_notAfter(certificate), now + days * 86_400)
    X509_set_pubkey(certificate, key)
    let name = X509_get_subject_name(certificate)
    for (field, value) in [("O", "Mainstay"), ("OU", subject.organizationalUnit), ("CN", subject.commonName)] {
      guard X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0) == 1 else {
        throw failure("write the subject \(value)")
      }
    }
    X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? name)
    try addExtensions(certificate, subject: subject, isAuthority: isAuthority, issuer: issuer?.certificate)
    guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0 else { throw failure("sign a certificate") }
    return Identity(
      certificatePEM: try pem("certificate") { PEM_write_bio_X509($0, certificate) },
      privateKeyPEM: try pem("key") { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) })
  }

  private static func addExtensions(
    _ certificate: OpaquePointer, subject: Subject, isAuthority: Bool, issuer: OpaquePointer?
  ) throws(TransportError) {
    var extensions: [(Int32, String)] = [(NID_subject_key_identifier, "hash")]
    if isAuthority {
      extensions += [(NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign")]
    } else {
      extensions += [
        (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
        (NID_ext_key_usage, subject.hosts.isEmpty ? "clientAuth" : "serverAuth,clientAuth"),
      ]
    }
    if !subject.hosts.isEmpty {
      let names = subject.hosts.map { host in
        // A name may consist of hexadecimal digits, as "db" does, but it has no colon, and its end is no number.
        let isAddress = host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
        return (isAddress ? "IP:" : "DNS:") + host
      }
      extensions.append((NID_subject_alt_name, names.joined(separator: ",")))
    }
    var context = X509V3_CTX()
    mainstay_v3_set_ctx(&context, issuer ?? certificate, certificate)
    for (identifier, value) in extensions {
      guard let item = X509V3_EXT_conf_nid(nil, &context, identifier, value) else { throw failure("write \(value)") }
      X509_add_ext(certificate, item, -1)
      X509_EXTENSION_free(item)
    }
  }

  static func pem(_ what: String, _ write: (OpaquePointer) -> Int32) throws(TransportError) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { throw failure("write a \(what)") }
    defer { BIO_free(bio) }
    var data: UnsafeMutablePointer<CChar>?
    guard write(bio) == 1 else { throw failure("write a \(what)") }
    let count = mainstay_bio_data(bio, &data)
    let bytes = UnsafeRawBufferPointer(start: data, count: max(0, count))
    return String(decoding: bytes, as: UTF8.self)
  }

  static func failure(_ action: String) -> TransportError {
    .badCertificate("cannot \(action): \(lastTLSError())")
  }
}

/// The authority's certificate and key as OpenSSL has them.
final class Issuer {
  let certificate: OpaquePointer
  let key: OpaquePointer

  init(_ identity: CertificateAuthority.Identity) throws(TransportError) {
    let certificate = Issuer.certificate(identity.certificatePEM)
    let key = Issuer.read(identity.privateKeyPEM) { PEM_read_bio_PrivateKey($0, nil, nil, nil) }
    guard let certificate, let key else {
      X509_free(certificate)
      EVP_PKEY_free(key)
      throw CertificateAuthority.failure("read the authority's certificate and key")
    }
    self.certificate = certificate
    self.key = key
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  /// The first certificate of a PEM text; to be freed.
  static func certificate(_ pem: String) -> OpaquePointer? {
    read(pem) { PEM_read_bio_X509($0, nil, nil, nil) }
  }

  private static func read(_ pem: String, _ body: (OpaquePointer?) -> OpaquePointer?) -> OpaquePointer? {
    var text = pem
    return text.withUTF8 { bytes in
      let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
      defer { BIO_free(bio) }
      return body(bio)
    }
  }
}

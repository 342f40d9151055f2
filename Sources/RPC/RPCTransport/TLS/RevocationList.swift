import COpenSSL
import Glibc

/// The certificates that their authorities have revoked, as they stood in a file.
///
/// Unchecked Sendable: the lists are only looked up after they were read, which OpenSSL allows from any thread.
final class RevocationList: @unchecked Sendable {
  /// Lists of so many authorities are read from one file.
  static let mostLists = 64
  /// Authorities above one another that are looked up for one certificate.
  static let mostAuthorities = 8

  /// A list, and the certificate by which it is signed.
  private struct Entry {
    let list: OpaquePointer
    let signer: OpaquePointer

    /// A root is its own authority.
    var isSignedByRoot: Bool { X509_NAME_cmp(X509_get_subject_name(signer), X509_get_issuer_name(signer)) == 0 }
  }

  /// Where the lists are, PEM.
  let path: String
  /// STACK_OF(X509_CRL), for OpenSSL.
  fileprivate let stack: OpaquePointer?
  private var entries: [Entry] = []

  /// Reads the lists, each of which must be signed by one of the certificates in another file, PEM.
  init(_ path: String, signedBy authorities: String) throws(TransportError) {
    self.path = path
    stack = OPENSSL_sk_new_null()
    guard let file = BIO_new_file(path, "r") else {
      throw .badCertificate("cannot read \(path): \(lastTLSError()); put the authority's revocation list there")
    }
    defer { BIO_free(file) }
    while let list = PEM_read_bio_X509_CRL(file, nil, nil, nil) { try add(list, authorities) }
    ERR_clear_error()
    guard !entries.isEmpty else {
      throw .badCertificate("\(path) holds no revocation list in PEM; get one from the authority")
    }
  }

  deinit {
    for entry in entries {
      X509_CRL_free(entry.list)
      X509_free(entry.signer)
    }
    OPENSSL_sk_free(stack)
  }

  private func add(_ list: OpaquePointer, _ authorities: String) throws(TransportError) {
    let problem: String
    if entries.count == RevocationList.mostLists {
      problem = "\(path) holds more than \(RevocationList.mostLists) revocation lists"
    } else if X509_CRL_get0_nextUpdate(list).map({ X509_cmp_current_time($0) > 0 }) != true {
      problem = "a revocation list in \(path) has ended; get a new one from its authority"
    } else if let signer = signer(of: list, among: authorities) {
      OPENSSL_sk_push(stack, UnsafeRawPointer(list))
      return entries.append(Entry(list: list, signer: signer))
    } else {
      problem =
        "a revocation list in \(path) is not signed by an authority of \(authorities); get that one's, "
        + "or add its authority's certificate there"
    }
    X509_CRL_free(list)
    throw .badCertificate(problem)
  }

  /// Why a certificate is not accepted, by the list of its authority or of one above; nil if it is. All that are between a
  /// certificate and the root have signed a list here, so the chain need not be sent again when a session is resumed.
  func refusal(of certificate: OpaquePointer, at now: Int) -> String? {
    refusal(of: certificate, at: now, left: RevocationList.mostAuthorities)
  }

  private func refusal(of certificate: OpaquePointer, at now: Int, left: Int) -> String? {
    let issuer = X509_get_issuer_name(certificate)
    let issued = entries.filter { X509_NAME_cmp(X509_CRL_get_issuer($0.list), issuer) == 0 }
    guard !issued.isEmpty else { return "\(path) has no revocation list of its authority; add that list to the file" }
    var time = now
    for entry in issued {
      guard let end = X509_CRL_get0_nextUpdate(entry.list), X509_cmp_time(end, &time) > 0 else {
        return "the revocation list in \(path) has ended; get a new one from its authority"
      }
      var found: OpaquePointer?
      guard X509_CRL_get0_by_cert(entry.list, &found, certificate) != 1 else { return "it is revoked; use another one" }
      if entry.isSignedByRoot { continue }
      guard left > 1 else { return "more than \(RevocationList.mostAuthorities) authorities are above it" }
      let reason = ended(entry.signer, at: now) ?? refusal(of: entry.signer, at: now, left: left - 1)
      if let reason { return "its authority \(subjectText(issuer, NID_commonName)) is not accepted: \(reason)" }
    }
    return nil
  }
}

extension RevocationList {
  /// Whether a certificate is on a list here, or an authority between it and the root is.
  func revokes(_ certificate: OpaquePointer) -> Bool { revokes(certificate, left: RevocationList.mostAuthorities) }

  private func revokes(_ certificate: OpaquePointer, left: Int) -> Bool {
    let issuer = X509_get_issuer_name(certificate)
    return entries.contains { entry in
      guard X509_NAME_cmp(X509_CRL_get_issuer(entry.list), issuer) == 0 else { return false }
      var found: OpaquePointer?
      if X509_CRL_get0_by_cert(entry.list, &found, certificate) == 1 { return true }
      return !entry.isSignedByRoot && left > 1 && revokes(entry.signer, left: left - 1)
    }
  }
}

/// Why a certificate is not good at a time, by what it says itself; nil if it is.
func ended(_ certificate: OpaquePointer, at now: Int) -> String? {
  var time = now
  if X509_cmp_time(X509_get0_notAfter(certificate), &time) <= 0 { return "it has expired; renew it" }
  if X509_cmp_time(X509_get0_notBefore(certificate), &time) >= 0 { return "it is not valid yet; look at the clocks" }
  return nil
}

/// The certificate of a file by which a list is signed, to be freed: with a resumed session nobody else looks at that.
private func signer(of list: OpaquePointer, among authorities: String) -> OpaquePointer? {
  guard let file = BIO_new_file(authorities, "r") else { return nil }
  defer {
    BIO_free(file)
    ERR_clear_error()
  }
  while let authority = PEM_read_bio_X509(file, nil, nil, nil) {
    if X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0,
      X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1
    {
      return authority
    }
    X509_free(authority)
  }
  return nil
}

/// Verifies a chain as OpenSSL does by itself, and looks up each of its certificates; a callback of
/// SSL_CTX_set_cert_verify_callback.
func verifyWithRevocationList(_ store: OpaquePointer?, _ list: UnsafeMutableRawPointer?) -> Int32 {
  guard let list else { return 0 }
  X509_STORE_CTX_set0_crls(store, Unmanaged<RevocationList>.fromOpaque(list).takeUnretainedValue().stack)
  X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
  return X509_verify_cert(store)
}

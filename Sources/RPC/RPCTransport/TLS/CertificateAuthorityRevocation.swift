import COpenSSL
import Core

extension CertificateAuthority {
  /// The list of the certificates that the authority has revoked, PEM; it ends so many days from now.
  public func revocationList(
    of revoked: [Identity], days: Int, clock: some Clock
  ) throws(TransportError) -> String {
    let issuer = try Issuer(identity)
    guard let list = X509_CRL_new(), let time = ASN1_TIME_new() else {
      throw CertificateAuthority.failure("make a revocation list")
    }
    defer {
      X509_CRL_free(list)
      ASN1_TIME_free(time)
    }
    let now = Int(clock.now().seconds)
    X509_CRL_set_version(list, 1)
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.certificate))
    ASN1_TIME_set(time, now - 3_600)
    X509_CRL_set1_lastUpdate(list, time)
    for identity in revoked {
      guard let certificate = Issuer.certificate(identity.certificatePEM), let entry = X509_REVOKED_new() else {
        throw CertificateAuthority.failure("read a certificate that shall be revoked")
      }
      defer { X509_free(certificate) }
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate))
      X509_REVOKED_set_revocationDate(entry, time)
      X509_CRL_add0_revoked(list, entry)
    }
    ASN1_TIME_set(time, now + days * 86_400)
    X509_CRL_set1_nextUpdate(list, time)
    X509_CRL_sort(list)
    guard X509_CRL_sign(list, issuer.key, EVP_sha256()) > 0 else {
      throw CertificateAuthority.failure("sign a revocation list")
    }
    return try CertificateAuthority.pem("revocation list") { PEM_write_bio_X509_CRL($0, list) }
  }
}

import COpenSSL
import Core
import Glibc

/// What a certificate in a file says, for people who look after certificates.
public struct CertificateFacts: Sendable, Equatable {
  /// CN of the subject.
  public let commonName: String
  /// OU of the subject: "service", or a user's role.
  public let organizationalUnit: String
  /// End of its validity.
  public let expiry: Timestamp

  /// Reads the first certificate of a PEM text; nil if there is none.
  public init?(pem: String) {
    var text = pem
    let certificate = text.withUTF8 { bytes in
      let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
      defer { BIO_free(bio) }
      return PEM_read_bio_X509(bio, nil, nil, nil)
    }
    guard let certificate else {
      ERR_clear_error()
      return nil
    }
    defer { X509_free(certificate) }
    var end = tm()
    guard ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 else { return nil }
    expiry = Timestamp(microsecondsSinceEpoch: Int64(timegm(&end)) * 1_000_000)
    let subject = X509_get_subject_name(certificate)
    commonName = subjectText(subject, NID_commonName)
    organizationalUnit = subjectText(subject, NID_organizationalUnitName)
  }
}

/// The first entry of a kind in a name; empty if there is none.
func subjectText(_ name: OpaquePointer?, _ identifier: Int32) -> String {
  let index = X509_NAME_get_index_by_NID(name, identifier, -1)
  guard index >= 0, let entry = X509_NAME_get_entry(name, index), let data = X509_NAME_ENTRY_get_data(entry) else {
    return ""
  }
  var utf8: UnsafeMutablePointer<UInt8>?
  let length = ASN1_STRING_to_UTF8(&utf8, data)
  guard length >= 0, let utf8 else { return "" }
  defer { CRYPTO_free(utf8, nil, 0) }
  return String(decoding: UnsafeBufferPointer(start: utf8, count: Int(length)), as: UTF8.self)
}

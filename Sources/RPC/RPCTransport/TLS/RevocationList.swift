import COpenSSL
import Glibc
import Synchronization

/// The certificates that their authorities have revoked, from a file that is read again when it has changed. A file that
/// cannot be used changes nothing until the list that was read last ends.
final class RevocationList: Sendable {
  /// Lists of so many authorities are read from one file.
  static let mostLists = 64

  private struct State {
    var mark: FileMark
    var lists: Lists
  }

  /// Where the lists are, PEM.
  let path: String
  /// Where the certificates are by which they must be signed, PEM.
  private let authorities: String
  private let state: Mutex<State>

  init(_ path: String, signedBy authorities: String) throws(TransportError) {
    self.path = path
    self.authorities = authorities
    // Before the file is read: what changes meanwhile is read again.
    let mark = FileMark(path)
    state = Mutex(State(mark: mark, lists: try Lists(path, signedBy: authorities)))
  }

  /// The lists as they stand in the file now, or as they stood when it could be read last.
  var current: Lists {
    let mark = FileMark(path)
    return state.withLock { state in
      if state.mark != mark {
        state.mark = mark
        if let lists = try? Lists(path, signedBy: authorities) { state.lists = lists }
      }
      return state.lists
    }
  }

  /// What one reading of the file gave.
  ///
  /// Unchecked Sendable: the lists are only looked up after they were read, which OpenSSL allows from any thread.
  final class Lists: @unchecked Sendable {
    /// STACK_OF(X509_CRL).
    fileprivate let stack: OpaquePointer?
    private let path: String

    fileprivate init(_ path: String, signedBy authorities: String) throws(TransportError) {
      self.path = path
      stack = OPENSSL_sk_new_null()
      guard let file = BIO_new_file(path, "r") else {
        throw .badCertificate("cannot read \(path): \(lastTLSError()); put the authority's revocation list there")
      }
      defer { BIO_free(file) }
      while let list = PEM_read_bio_X509_CRL(file, nil, nil, nil) {
        OPENSSL_sk_push(stack, UnsafeRawPointer(list))
        guard all.count <= RevocationList.mostLists else {
          throw .badCertificate("\(path) holds more than \(RevocationList.mostLists) revocation lists")
        }
        guard let end = X509_CRL_get0_nextUpdate(list), X509_cmp_current_time(end) > 0 else {
          throw .badCertificate("a revocation list in \(path) has ended; get a new one from its authority")
        }
        guard isSigned(list, by: authorities) else {
          throw .badCertificate(
            "a revocation list in \(path) is not signed by an authority of \(authorities); get that one's")
        }
      }
      ERR_clear_error()
      guard !all.isEmpty else {
        throw .badCertificate("\(path) holds no revocation list in PEM; get one from the authority")
      }
    }

    deinit {
      for list in all { X509_CRL_free(list) }
      OPENSSL_sk_free(stack)
    }

    private var all: [OpaquePointer] {
      (0..<OPENSSL_sk_num(stack)).compactMap { OPENSSL_sk_value(stack, $0).map { OpaquePointer($0) } }
    }

    /// Why a certificate is not accepted, by the list of its authority; nil if it is.
    func refusal(of certificate: OpaquePointer, at now: Int) -> String? {
      let issuer = X509_get_issuer_name(certificate)
      let lists = all.filter { X509_NAME_cmp(X509_CRL_get_issuer($0), issuer) == 0 }
      guard !lists.isEmpty else {
        return "\(path) has no revocation list of its authority; add that list to the file"
      }
      var time = now
      for list in lists {
        guard let end = X509_CRL_get0_nextUpdate(list), X509_cmp_time(end, &time) > 0 else {
          return "the revocation list in \(path) has ended; get a new one from its authority"
        }
        var entry: OpaquePointer?
        guard X509_CRL_get0_by_cert(list, &entry, certificate) != 1 else { return "it is revoked; use another one" }
      }
      return nil
    }
  }
}

/// Whether one of the certificates in a file has signed the list: with a resumed session nobody else looks at that.
private func isSigned(_ list: OpaquePointer, by authorities: String) -> Bool {
  guard let file = BIO_new_file(authorities, "r") else { return false }
  defer {
    BIO_free(file)
    ERR_clear_error()
  }
  while let authority = PEM_read_bio_X509(file, nil, nil, nil) {
    defer { X509_free(authority) }
    guard X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0 else { continue }
    if X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1 { return true }
  }
  return false
}

/// Verifies a chain as OpenSSL does by itself, with the lists of now; a callback of SSL_CTX_set_cert_verify_callback.
func verifyWithRevocationList(_ store: OpaquePointer?, _ list: UnsafeMutableRawPointer?) -> Int32 {
  guard let list else { return 0 }
  let lists = Unmanaged<RevocationList>.fromOpaque(list).takeUnretainedValue().current
  return withExtendedLifetime(lists) {
    X509_STORE_CTX_set0_crls(store, lists.stack)
    X509_STORE_CTX_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK))
    return X509_verify_cert(store)
  }
}

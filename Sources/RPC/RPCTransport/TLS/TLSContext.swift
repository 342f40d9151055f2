import COpenSSL
import Glibc

/// OpenSSL's settings for many connections: TLS 1.3, ALPN "h2", verified peers.
///
/// Unchecked Sendable: an SSL_CTX is set up here once and only read afterwards, which OpenSSL allows from any thread.
public final class TLSContext: TLSContextSource, @unchecked Sendable {
  /// Groups of the key exchange, the preferred one first.
  private static let groups = "X25519:P-256:P-384"

  /// A ticket is good for so long, and so is the key that tickets are sealed with: within this time everybody is verified
  /// in full again.
  static let sessionLifetime: Duration = .seconds(3_600)

  let pointer: OpaquePointer
  let role: HTTP2Role
  let revocations: RevocationList?
  /// Where a newer one may be found; set before the context is used.
  weak var source: TLSCertificates?

  /// Itself: files that change later change nothing.
  public var current: TLSContext { self }

  /// Loads the files. Throws `badCertificate` with the path and what is wrong with it.
  public init(_ configuration: TLSConfiguration, role: HTTP2Role) throws(TransportError) {
    guard let pointer = SSL_CTX_new(role == .server ? TLS_server_method() : TLS_client_method()) else {
      throw .badCertificate("cannot set up TLS: \(lastTLSError())")
    }
    self.pointer = pointer
    self.role = role
    do throws(TransportError) {
      revocations = try configuration.revocationListPath.map { (path) throws(TransportError) in
        try RevocationList(path, signedBy: configuration.authorityPath)
      }
    } catch {
      SSL_CTX_free(pointer)
      throw error
    }
    guard mainstay_ctx_set_min_tls13(pointer) == 1 else { throw .badCertificate("OpenSSL here has no TLS 1.3") }
    guard mainstay_ctx_set_groups(pointer, TLSContext.groups) == 1 else {
      throw .badCertificate("OpenSSL here lacks one of the groups \(TLSContext.groups)")
    }
    _ = mainstay_ctx_set_mode(
      pointer, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) | Int(SSL_MODE_RELEASE_BUFFERS))
    mainstay_ctx_set_read_ahead(pointer)
    SSL_CTX_set_timeout(pointer, Int(TLSContext.sessionLifetime.components.seconds))
    try loadAuthority(configuration.authorityPath)
    try loadIdentity(configuration)
    if let revocations {
      SSL_CTX_set_cert_verify_callback(
        pointer, verifyWithRevocationList, Unmanaged.passUnretained(revocations).toOpaque())
    }
    switch role {
    case .client:
      mainstay_ctx_keep_client_sessions(pointer, keepSession)
      SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
      SSL_CTX_set_alpn_protos(pointer, [2, 0x68, 0x32], 3)
    case .server:
      mainstay_ctx_keep_no_sessions(pointer)
      // Clients keep one session. Its ticket holds all there is to it, so that the server keeps nothing.
      SSL_CTX_set_num_tickets(pointer, 1)
      SSL_CTX_set_session_id_context(pointer, [0x6d], 1)
      SSL_CTX_set_session_ticket_cb(
        pointer, nil, acceptTicket, revocations.map { Unmanaged.passUnretained($0).toOpaque() })
      SSL_CTX_set_verify(pointer, configuration.clientVerification.verifyMode, nil)
      SSL_CTX_set_client_CA_list(pointer, SSL_load_client_CA_file(configuration.authorityPath))
      SSL_CTX_set_alpn_select_cb(pointer, selectHTTP2, nil)
    }
  }

  deinit {
    SSL_CTX_free(pointer)
  }

  /// Takes the tickets of another context of a server, before it is used.
  func takeTickets(of other: TLSContext) { mainstay_ctx_copy_ticket_keys(pointer, other.pointer) }

  private func loadAuthority(_ path: String) throws(TransportError) {
    try checkReadable(path)
    guard SSL_CTX_load_verify_locations(pointer, path, nil) == 1 else {
      throw .badCertificate("\(path) holds no certificate authority: \(lastTLSError())")
    }
  }

  private func loadIdentity(_ configuration: TLSConfiguration) throws(TransportError) {
    guard let chain = configuration.certificateChainPath, let key = configuration.privateKeyPath else {
      guard role == .client, configuration.certificateChainPath == nil, configuration.privateKeyPath == nil else {
        throw .badCertificate("a certificate and its private key are both needed")
      }
      return
    }
    try checkReadable(chain)
    try checkReadable(key)
    var status = stat()
    if stat(key, &status) == 0, status.st_mode & (S_IRWXO | S_IRWXG) != 0 {
      throw .badCertificate("\(key) can be read by others; run chmod 600 on it")
    }
    guard SSL_CTX_use_certificate_chain_file(pointer, chain) == 1 else {
      throw .badCertificate("\(chain) holds no certificate: \(lastTLSError())")
    }
    guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1, SSL_CTX_check_private_key(pointer) == 1
    else { throw .badCertificate("\(key) is not the private key of \(chain): \(lastTLSError())") }
  }

  private func checkReadable(_ path: String) throws(TransportError) {
    guard access(path, R_OK) == 0 else {
      throw .badCertificate("cannot read \(path): \(String(cString: strerror(errno)))")
    }
  }
}

extension TLSConfiguration.ClientVerification {
  fileprivate var verifyMode: Int32 {
    switch self {
    case .none: SSL_VERIFY_NONE
    case .optional: SSL_VERIFY_PEER
    case .required: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    }
  }
}

/// Chooses "h2"; a client that offers only other protocols is refused, one that offers none is served HTTP/2.
private func selectHTTP2(
  _: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ chosenLength: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32,
  _: UnsafeMutableRawPointer?
) -> Int32 {
  let list = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
  var position = 0
  while position < list.count {
    let length = Int(list[position])
    guard position + 1 + length <= list.count else { break }
    if length == 2, list[position + 1] == 0x68, list[position + 2] == 0x32 {
      chosen?.pointee = list.baseAddress?.advanced(by: position + 1)
      chosenLength?.pointee = 2
      return SSL_TLSEXT_ERR_OK
    }
    position += 1 + length
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Alerts by which a peer refuses a certificate or the lack of one (RFC 8446, 6.2): bad, unsupported, revoked, expired,
/// unknown, of an unknown authority, denied, with a wrong signature, missing.
private let certificateAlerts: Set<Int32> = [42, 43, 44, 45, 46, 48, 49, 51, 116]

/// What OpenSSL says went wrong last on this thread, and nothing that went wrong before; empties its queue.
func lastTLSError() -> String {
  var text = "unknown error"
  var code = ERR_get_error()
  if code != 0 { text = ERR_reason_error_string(code).map { String(cString: $0) } ?? text }
  if certificateAlerts.contains(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) {
    text = "the peer refuses our certificate: \(text)"
  }
  while code != 0 { code = ERR_get_error() }
  return text
}

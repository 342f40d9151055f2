import COpenSSL
import Core

/// The session that a client may resume at one address: the last ticket that its server gave, used once. Confined to its loop.
final class TLSSession {
  /// SSL_SESSION, with the certificate of the server.
  private var pointer: OpaquePointer?

  init() {}

  deinit { SSL_SESSION_free(pointer) }

  /// Takes over a session in place of the last one.
  func keep(_ session: OpaquePointer?) {
    SSL_SESSION_free(pointer)
    pointer = session
  }

  /// Offers the session and forgets it, so that neither a ticket is used twice nor one that failed is tried again. Nothing is
  /// offered when the server's certificate would be refused: a full handshake shows whether it has a new one.
  func offer(on connection: OpaquePointer, _ check: PeerCheck, at now: Timestamp) {
    defer { keep(nil) }
    guard let pointer, let certificate = SSL_SESSION_get0_peer(pointer),
      check.refusal(of: certificate, at: now) == nil
    else { return }
    SSL_set_session(connection, pointer)
  }
}

/// Keeps the ticket that a server gives; a callback of SSL_CTX_sess_set_new_cb. 1 says that the session is ours now.
func keepSession(_ connection: OpaquePointer?, _ session: OpaquePointer?) -> Int32 {
  guard let connection, let kept = SSL_get_ex_data(connection, 0) else { return 0 }
  Unmanaged<TLSSession>.fromOpaque(kept).takeUnretainedValue().keep(session)
  return 1
}

/// Takes a client's ticket if its certificate would be accepted now; otherwise a full handshake follows, which refuses the
/// client in TLS's own words. A callback of SSL_CTX_set_session_ticket_cb.
func acceptTicket(
  _ connection: OpaquePointer?, _ session: OpaquePointer?, _: UnsafePointer<UInt8>?, _: Int, _ status: Int32,
  _ list: UnsafeMutableRawPointer?
) -> Int32 {
  guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
    return SSL_TICKET_RETURN_IGNORE_RENEW
  }
  guard let session, let certificate = SSL_SESSION_get0_peer(session) else { return SSL_TICKET_RETURN_USE_RENEW }
  let revocations = list.map { Unmanaged<RevocationList>.fromOpaque($0).takeUnretainedValue() }
  let now = Timestamp(
    microsecondsSinceEpoch: Int64(X509_VERIFY_PARAM_get_time(SSL_get0_param(connection))) * 1_000_000)
  let refusal = PeerCheck(serverName: nil, revocations: revocations).refusal(of: certificate, at: now)
  return refusal == nil ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW
}

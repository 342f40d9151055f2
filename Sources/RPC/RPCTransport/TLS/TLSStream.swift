import COpenSSL
import Core
import Glibc
import RPCCore

/// TLS over one socket, without waiting. Confined to its loop.
final class TLSStream {
  /// What an operation came to.
  enum Outcome {
    case done(Int)
    /// Try again when the socket can be read.
    case wantsRead
    /// Try again when the socket can be written.
    case wantsWrite
    /// The peer has ended the connection regularly.
    case ended
    case failed(String)
  }

  private let pointer: OpaquePointer
  /// Kept as long as OpenSSL may call back.
  private let context: TLSContext
  private let session: TLSSession?
  private let check: PeerCheck
  private let output: TLSOutput

  /// TLS on a connected socket; the client checks the server's certificate against `serverName`, a DNS name or IP address,
  /// and resumes `session` if there is one. Certificates are verified as of `now`. Records that are gathered are put together in
  /// `space`, which is the loop's.
  init?(
    _ context: TLSContext, descriptor: Int32, serverName: String?, session: TLSSession?, now: Timestamp,
    space: UnsafeMutableRawBufferPointer
  ) {
    output = TLSOutput(descriptor: descriptor, space: space)
    guard let pointer = SSL_new(context.pointer) else { return nil }
    guard SSL_set_fd(pointer, descriptor) == 1, let bio = output.makeBIO() else {
      SSL_free(pointer)
      return nil
    }
    SSL_set0_wbio(pointer, bio)
    self.pointer = pointer
    self.context = context
    self.session = session
    check = PeerCheck(serverName: serverName, revocations: context.revocations)
    X509_VERIFY_PARAM_set_time(SSL_get0_param(pointer), Int(now.seconds))
    switch context.role {
    case .server: SSL_set_accept_state(pointer)
    case .client:
      SSL_set_connect_state(pointer)
      if let serverName {
        // An IP address is matched with the certificate's addresses and not sent as a name (RFC 6066).
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(pointer), serverName) != 1 {
          SSL_set1_host(pointer, serverName)
          _ = mainstay_set_server_name(pointer, serverName)
        }
      }
      if let session {
        SSL_set_ex_data(pointer, 0, Unmanaged.passUnretained(session).toOpaque())
        session.offer(on: pointer, check, at: now)
      }
    }
  }

  deinit { SSL_free(pointer) }

  func handshake() -> Outcome {
    ERR_clear_error()
    return outcome(SSL_do_handshake(pointer))
  }

  func read(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    ERR_clear_error()
    return outcome(SSL_read(pointer, buffer.baseAddress, Int32(buffer.count)))
  }

  /// Whether bytes have come from the socket that `read` has not given yet.
  var hasUnread: Bool { SSL_has_pending(pointer) == 1 }

  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    ERR_clear_error()
    return outcome(SSL_write(pointer, bytes.baseAddress, Int32(bytes.count)))
  }

  /// Lets what is written from now on go in few pieces, at the next `flush`. The socket takes each record by itself otherwise.
  func gather() { output.gather() }

  /// Bytes written and gathered that the socket has not taken.
  var waiting: Int { output.waiting }

  /// Hands what was gathered to the socket.
  func flush() -> Outcome {
    if output.flush() { return .done(0) }
    return output.failure == 0 ? .wantsWrite : .failed(String(cString: strerror(output.failure)))
  }

  /// Whether both ends have agreed on HTTP/2 (ALPN).
  var hasChosenHTTP2: Bool {
    var name: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    SSL_get0_alpn_selected(pointer, &name, &length)
    return UnsafeBufferPointer(start: name, count: Int(length)).elementsEqual([0x68, 0x32])
  }

  /// Whether the handshake resumed a session instead of verifying certificates.
  var isResumed: Bool { SSL_session_reused(pointer) == 1 }

  /// Why the peer is not accepted though its handshake is done; nil if it is.
  func peerRefusal(at now: Timestamp) -> String? {
    guard let certificate = SSL_get0_peer_certificate(pointer) else { return nil }
    if let refusal = check.refusal(of: certificate, at: now) {
      return "the peer's certificate is not accepted: \(refusal)"
    }
    return revocation
  }

  /// Why the peer is not accepted any more, by a list that was read since; nil if it is.
  var revocation: String? {
    guard let source = context.source, let certificate = SSL_get0_peer_certificate(pointer),
      source.hasRevoked(certificate, since: context.revocations)
    else { return nil }
    return "the peer's certificate is not accepted any more: it was revoked; use another one"
  }

  /// Whether these certificates are those that the connection began with, as they were then.
  func isOf(_ certificates: TLSCertificates) -> Bool { context.source === certificates }

  /// Whether the handshake failed because the peer's certificate was not accepted.
  private(set) var hasRefusedPeer = false

  /// Tells the peer that nothing follows.
  func shutdown() {
    ERR_clear_error()
    SSL_shutdown(pointer)
    ERR_clear_error()
  }

  /// The peer's certificate; it has been verified if there is one.
  var peerCertificate: PeerCertificate? {
    guard let certificate = SSL_get0_peer_certificate(pointer), let subject = X509_get_subject_name(certificate) else {
      return nil
    }
    return PeerCertificate(
      commonName: subjectText(subject, NID_commonName),
      organizationalUnit: subjectText(subject, NID_organizationalUnitName))
  }

  /// What to do about a revocation list, which is on our side.
  private func advice(_ verification: Int) -> String {
    guard let path = context.revocations?.path else { return "" }
    return switch Int32(verification) {
    case X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_NOT_YET_VALID,
      X509_V_ERR_CRL_SIGNATURE_FAILURE:
      "; put a new list from the certificate's authority into \(path)"
    default: ""
    }
  }

  private func outcome(_ result: Int32) -> Outcome {
    if result > 0 { return .done(Int(result)) }
    let systemError = errno
    switch SSL_get_error(pointer, result) {
    case SSL_ERROR_WANT_READ: return .wantsRead
    case SSL_ERROR_WANT_WRITE: return .wantsWrite
    case SSL_ERROR_ZERO_RETURN: return .ended
    case SSL_ERROR_SYSCALL:
      return .failed(systemError == 0 ? "connection cut" : String(cString: strerror(systemError)))
    default:
      let verification = SSL_get_verify_result(pointer)
      guard verification == X509_V_OK else {
        hasRefusedPeer = true
        ERR_clear_error()
        return .failed(
          "the peer's certificate is not accepted: " + String(cString: X509_verify_cert_error_string(verification))
            + advice(verification))
      }
      return .failed(lastTLSError())
    }
  }
}

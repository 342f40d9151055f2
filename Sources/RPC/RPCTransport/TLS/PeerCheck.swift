import COpenSSL
import Core

/// What must hold of a peer's certificate whenever a connection begins, also when a session is resumed and nobody verified
/// the certificate this time.
struct PeerCheck {
  /// The name or address that a server must have; nil for a client.
  let serverName: String?
  let revocations: RevocationList?

  /// Why a certificate, once verified, is not accepted now; nil if it is.
  func refusal(of certificate: OpaquePointer, at now: Timestamp) -> String? {
    let time = Int(now.seconds)
    if let reason = ended(certificate, at: time) { return reason }
    if let serverName, !isFor(serverName, certificate) { return "it is not for \(serverName)" }
    return revocations?.refusal(of: certificate, at: time)
  }

  private func isFor(_ name: String, _ certificate: OpaquePointer) -> Bool {
    X509_check_ip_asc(certificate, name, 0) == 1 || X509_check_host(certificate, name, name.utf8.count, 0, nil) == 1
  }
}

import COpenSSL
import Core

/// The public half of an Ed25519 key: judges signatures (RFC 8032).
///
/// Unchecked Sendable: OpenSSL's key is not changed after it was read, and verifying with it from several threads is safe.
public final class VerifyingKey: @unchecked Sendable {
  private let key: OpaquePointer
  /// 32 bytes.
  public let bytes: [UInt8]

  /// The key of 32 bytes; nil for anything else.
  public convenience init?(bytes: [UInt8]) {
    guard bytes.count == 32, let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
      return nil
    }
    self.init(key)
  }

  /// The key of a PEM text that begins with it (SubjectPublicKeyInfo, RFC 8410); nil for any other.
  public convenience init?(pem: String) {
    var text = pem
    let key = text.withUTF8 { bytes in
      let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
      defer { BIO_free(bio) }
      return PEM_read_bio_PUBKEY(bio, nil, nil, nil)
    }
    ERR_clear_error()
    guard let key else { return nil }
    self.init(key)
  }

  private init?(_ key: OpaquePointer) {
    self.key = key
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = bytes.count
    let isRead = EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1
    self.bytes = bytes
    guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519, isRead, count == bytes.count else { return nil }
  }

  deinit { EVP_PKEY_free(key) }

  /// Whether these 64 bytes are the key owner's signature of the message.
  public func holds(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard signature.count == 64 else { return false }
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    return EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, key, nil) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }

  /// The key as it is given to others, PEM.
  public func pem() throws(KeyError) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { throw KeyError("OpenSSL has no memory") }
    defer { BIO_free(bio) }
    var data: UnsafeMutablePointer<CChar>?
    guard PEM_write_bio_PUBKEY(bio, key) == 1 else { throw KeyError("OpenSSL does not write a key") }
    let count = mainstay_bio_data(bio, &data)
    return String(decoding: UnsafeRawBufferPointer(start: data, count: max(0, count)), as: UTF8.self)
  }

  /// The key's thumbprint as a JSON Web Key (RFC 7638, RFC 8037): a name for it that everybody finds alike.
  public var thumbprint: String {
    let encoded = Base64.encode(bytes, urlSafe: true)
    let members = "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"\(encoded)\"}"
    return Base64.encode(SHA256.hash(Array(members.utf8)), urlSafe: true)
  }
}

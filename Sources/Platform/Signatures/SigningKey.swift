import COpenSSL
import Core
import Glibc

/// An Ed25519 key that something is signed with (RFC 8032): checkpoints of the audit log, tokens. Never logged.
///
/// Unchecked Sendable: OpenSSL's key is not changed after it was read, and signing with it from several threads is safe.
public final class SigningKey: @unchecked Sendable {
  /// Largest key file that is read, in bytes.
  private static let maximumFileBytes = 16_384

  private let key: OpaquePointer
  /// What others verify by: 32 bytes.
  public let publicKey: [UInt8]

  /// A fresh key.
  public convenience init(random: some RandomSource) throws(KeyError) {
    var seed: [UInt8] = []
    for _ in 0..<4 { withUnsafeBytes(of: random.next()) { seed.append(contentsOf: $0) } }
    defer { OPENSSL_cleanse(&seed, seed.count) }
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
      throw KeyError("OpenSSL makes no Ed25519 key")
    }
    try self.init(key)
  }

  /// The key in a file: PEM, PKCS #8, mode 0600.
  public convenience init(path: String) throws(KeyError) {
    var pem = try SigningKey.read(path)
    defer { OPENSSL_cleanse(&pem, pem.count) }
    let bio = BIO_new_mem_buf(pem, Int32(pem.count))
    defer { BIO_free(bio) }
    guard let key = PEM_read_bio_PrivateKey(bio, nil, nil, nil), EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
      throw KeyError("\(path) holds no Ed25519 key in PEM; \"mainstay certs init\" makes one")
    }
    try self.init(key)
  }

  private init(_ key: OpaquePointer) throws(KeyError) {
    self.key = key
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == bytes.count else {
      throw KeyError("a key has no public half")
    }
    publicKey = bytes
  }

  deinit { EVP_PKEY_free(key) }

  /// 64 bytes.
  public func signature(of message: [UInt8]) throws(KeyError) -> [UInt8] {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    guard EVP_DigestSignInit_ex(context, nil, nil, nil, nil, key, nil) == 1,
      EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signature.count
    else { throw KeyError("OpenSSL does not sign") }
    return signature
  }

  /// The key as it is kept in a file, PEM: a secret.
  public func pem() throws(KeyError) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { throw KeyError("OpenSSL has no memory") }
    defer { BIO_free(bio) }
    var data: UnsafeMutablePointer<CChar>?
    guard PEM_write_bio_PKCS8PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else {
      throw KeyError("OpenSSL does not write a key")
    }
    let count = mainstay_bio_data(bio, &data)
    return String(decoding: UnsafeRawBufferPointer(start: data, count: max(0, count)), as: UTF8.self)
  }

  /// The file's content, if nobody else may read it.
  private static func read(_ path: String) throws(KeyError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw KeyError("cannot read the key \(path): \(String(cString: strerror(errno)))")
    }
    defer { close(file) }
    var facts = stat()
    guard fstat(file, &facts) == 0, facts.st_mode & 0o077 == 0 else {
      throw KeyError("the key \(path) may be read by others; set its mode to 0600")
    }
    var bytes = [UInt8](repeating: 0, count: maximumFileBytes)
    let count = Glibc.read(file, &bytes, bytes.count)
    guard count > 0 else { throw KeyError("the key \(path) is empty or no file") }
    return Array(bytes.prefix(count))
  }
}

import COpenSSL

/// Judges Ed25519 signatures (RFC 8032).
public enum SignatureCheck {
  /// Whether these 64 bytes are the key owner's signature of the message.
  public static func holds(_ signature: [UInt8], of message: [UInt8], key: LogKey) -> Bool {
    guard key.publicKey.count == 32, signature.count == 64,
      let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, key.publicKey, key.publicKey.count)
    else { return false }
    defer { EVP_PKEY_free(key) }
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    return EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, key, nil) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

import Signatures

/// Judges the signatures of logs.
public enum SignatureCheck {
  /// Whether these 64 bytes are the key owner's signature of the message.
  public static func holds(_ signature: [UInt8], of message: [UInt8], key: LogKey) -> Bool {
    VerifyingKey(bytes: key.publicKey)?.holds(signature, of: message) ?? false
  }
}

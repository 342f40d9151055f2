import RPCCore

/// A version as callers see it: opaque to them, different after each change.
public enum Etag {
  /// The etag of a version.
  public static func encode(_ version: Int64) -> String { "v\(version)" }

  /// Fails with ABORTED if the caller names another version than the current one; an empty etag names none.
  public static func check(_ etag: String, isCurrent version: Int64, of subject: String) throws {
    if !etag.isEmpty, etag != encode(version) {
      throw RPCError(.aborted, "\(subject) has changed since it was read: read it again, then try again")
    }
  }
}

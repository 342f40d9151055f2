import Core
import RPCCore

extension Identifier {
  /// The id that a request names. A text that begins like one and is none is an id of nothing: NOT_FOUND; any other text is a
  /// mistake in the request: INVALID_ARGUMENT.
  public static func named(_ text: String, _ field: String) throws -> Self {
    if let id = Self(text) { return id }
    if text.hasPrefix(Kind.prefix + "_"), text.utf8.count <= 64 { throw RPCError(.notFound, "no \(field) \(text)") }
    throw RPCError.invalid(field, "must be an id \(Kind.prefix)_…")
  }
}

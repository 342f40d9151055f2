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

  /// The id that a field of a record holds; nil if it is empty. Notes one that is none.
  public static func read(_ text: String, _ path: String, faults: inout ViolationList) -> Self? {
    let id = text.isEmpty ? nil : Self(text)
    if id == nil, !text.isEmpty { faults.add(path, "must be an id \(Kind.prefix)_…") }
    return id
  }

  /// The id that a field of a record must hold; notes one that is missing or none, and returns a placeholder for it.
  public static func required(_ text: String, _ path: String, faults: inout ViolationList) -> Self {
    if text.isEmpty { faults.add(path, "is required") }
    return read(text, path, faults: &faults) ?? placeholder
  }
}

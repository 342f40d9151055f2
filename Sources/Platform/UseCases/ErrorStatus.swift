import Core
import RPCCore

// What the rules' refusals mean to a caller. Storage's errors are in Events.

extension InvalidRecord: RPCErrorConvertible {
  /// INVALID_ARGUMENT with every bad field.
  public var rpcError: RPCError { .badRequest(violations.map { FieldViolation($0.path, $0.reason) }) }

  /// The same faults as fields of a request that holds the record in this field.
  public func inside(_ field: String) -> InvalidRecord {
    InvalidRecord(
      violations.map { $0.path == "update_mask" ? $0 : Violation("\(field).\($0.path)", $0.reason) })
  }

  /// Runs the body; what it finds wrong is named as part of the field.
  public static func inside<Result>(_ field: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let invalid as InvalidRecord { throw invalid.inside(field) }
  }
}

extension RPCError {
  /// A field of a request is wrong.
  public static func invalid(_ field: String, _ reason: String) -> RPCError {
    .badRequest([FieldViolation(field, reason)])
  }

  /// A row that our own program has written cannot be read.
  public static func damaged(_ what: String) -> RPCError {
    RPCError(.dataLoss, "the stored \(what) cannot be read; see the service's log")
  }
}

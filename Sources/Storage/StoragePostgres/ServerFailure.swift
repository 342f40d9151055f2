import CPostgres
import Storage

/// A statement that the server refused: SQLSTATE and message.
struct ServerFailure: Error, Hashable {
  /// Five characters; empty if the server did not say it.
  let state: String
  let message: String
  let constraint: String

  init(state: String, message: String, constraint: String = "") {
    (self.state, self.message, self.constraint) = (state, message, constraint)
  }

  init(_ result: OpaquePointer) {
    state = mainstay_postgres_sqlstate(result).map { String(cString: $0) } ?? ""
    message = mainstay_postgres_message(result).map { String(cString: $0) } ?? ""
    constraint = mainstay_postgres_constraint(result).map { String(cString: $0) } ?? ""
  }

  /// Others were in the way; the same batch may go through when it is run again.
  var isPassing: Bool { state == "40001" || state == "40P01" }

  /// What the connection has prepared is no longer so: gone, or of another shape since the schema was changed.
  var isStalePreparation: Bool {
    state == "26000" || state == "0A000" && message.contains("cached plan")
  }

  /// The server ends, or ended, the connection.
  var endsConnection: Bool { ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"].contains(state) }

  /// What it means to the caller. `milliseconds` is how long the statement was allowed to run.
  func storageError(path: String, milliseconds: Int) -> StorageError {
    switch state {
    case "23505": return .uniqueViolation(constraint: constraint)
    case "57014": return .timedOut(milliseconds: milliseconds)
    case "55P03": return .overloaded(queue: "a lock of the database", limit: 1)
    case "40001", "40P01":
      return .conflict(BatchConflict(.preconditionFailed, subject: "writers that wait for each other"))
    case "53100": return .full(path: path)
    case "53200", "53300", "53400": return .overloaded(queue: "the database server (\(message))", limit: 1)
    case "54000": return .valueTooLarge
    case "22021": return .invalidText
    case "25006": return .readOnly(path: path)
    case "3F000", "3D000": return .cannotOpen(path: path, reason: message)
    case "42501": return .cannotOpen(path: path, reason: "\(message); grant it to the service's user")
    case "XX001", "XX002": return .corrupt(path: path, detail: message)
    default: break
    }
    switch state.prefix(2) {
    case "23": return .constraintViolation(message)
    // Messages of this class quote the value.
    case "22": return .constraintViolation("a value does not fit its place (SQLSTATE \(state))")
    case "08", "57", "": return .unreachable(path: path, reason: message)
    case "42", "26", "0A", "54", "34", "25": return .invalidStatement("\(message) (SQLSTATE \(state))")
    default: return .inputOutput(path: path, detail: "\(message), SQLSTATE \(state)")
    }
  }
}

import API
import CustomerDomain
import Protobuf

/// What every bulk import asks of a request.
enum ImportLimits {
  static func check(source: String, rowCount: Int) throws {
    var faults = ViolationList()
    SourceReference.check(source: source, "source", into: &faults)
    if !(1...PartyImport.maximumRows).contains(rowCount) {
      faults.add("rows", "has \(rowCount) rows; 1 to \(PartyImport.maximumRows) are expected")
    }
    try faults.throwIfAny()
  }
}

/// A row of an import: what it says, or why it is not taken.
struct ImportRow<Candidate> {
  let line: Int64
  private let content: Result<Candidate, InvalidRecord>

  /// What the row says, if it is well formed.
  var candidate: Candidate? { try? content.get() }

  /// Reads a row; what is wrong with it becomes the reason of its rejection.
  init(_ line: Int64, _ read: () throws(InvalidRecord) -> Candidate) {
    self.line = line
    do { content = .success(try read()) } catch { content = .failure(error) }
  }

  /// Takes the rows in order, and returns those that are refused: badly formed ones, and those that `take` throws a rule's
  /// refusal for. Other errors end the import.
  static func rejected(_ rows: [ImportRow], take: (Candidate) throws -> Void) throws -> [RejectedRow] {
    var rejected: [RejectedRow] = []
    for row in rows {
      switch row.content {
      case .failure(let invalid): rejected.append(RejectedRow(line: row.line, reason: invalid.description))
      case .success(let candidate):
        do { try take(candidate) } catch let invalid as InvalidRecord {
          rejected.append(RejectedRow(line: row.line, reason: invalid.description))
        } catch let illegal as IllegalTransition {
          rejected.append(RejectedRow(line: row.line, reason: "state: \(illegal)"))
        }
      }
    }
    return rejected
  }
}

/// A message in the wire format. Nothing that was received can fail here: a text with a NUL was refused when it came.
func encoded(_ message: some Message) throws(InvalidRecord) -> [UInt8] {
  do { return try message.serialized() } catch { throw InvalidRecord([Violation(error.field, error.reason)]) }
}

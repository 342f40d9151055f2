import Core

/// What every bulk import asks of a request.
public enum ImportLimits {
  /// Most rows of one request.
  public static let maximumRows = 1_000

  /// Throws `InvalidRecord` for a name that no source may have, and for no rows or too many.
  public static func check(source: String, rowCount: Int) throws(InvalidRecord) {
    var faults = ViolationList()
    SourceReference.check(source: source, "source", into: &faults)
    if !(1...maximumRows).contains(rowCount) {
      faults.add("rows", "has \(rowCount) rows; 1 to \(maximumRows) are expected")
    }
    try faults.throwIfAny()
  }
}

/// A row of an import: what it says, or why it is not taken.
public struct ImportRow<Candidate> {
  /// Its line in the sender's file.
  public let line: Int64
  private let content: Result<Candidate, InvalidRecord>

  /// What the row says, if it is well formed.
  public var candidate: Candidate? { try? content.get() }

  /// Reads a row; what is wrong with it becomes the reason of its rejection.
  public init(_ line: Int64, _ read: () throws(InvalidRecord) -> Candidate) {
    self.line = line
    do { content = .success(try read()) } catch { content = .failure(error) }
  }

  /// Takes the rows in order, and returns those that are refused, with the reason in one line: badly formed ones, and those that
  /// `take` throws `InvalidRecord` for. Other errors end the import.
  public static func rejected(
    _ rows: [ImportRow], take: (Candidate) throws -> Void
  ) throws -> [(line: Int64, reason: String)] {
    var rejected: [(line: Int64, reason: String)] = []
    for row in rows {
      switch row.content {
      case .failure(let invalid): rejected.append((row.line, invalid.description))
      case .success(let candidate):
        do { try take(candidate) } catch let invalid as InvalidRecord {
          rejected.append((row.line, invalid.description))
        }
      }
    }
    return rejected
  }
}

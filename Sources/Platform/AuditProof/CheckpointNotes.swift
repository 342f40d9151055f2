/// Exported checkpoints: notes one after another, each with an empty line behind it.
public enum CheckpointNotes {
  /// A note as it stands in a file.
  public static func entry(_ note: String) -> String { note + "\n" }

  /// The notes of a file, in their order. What is cut off is left out: the writer was stopped in the middle.
  public static func split(_ text: String) -> [String] {
    var notes: [String] = []
    var lines: [Substring] = []
    var isSigned = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty, isSigned {
        // Text, an empty line, signatures. What stands before the text belongs to a note that was cut off.
        let end = lines.lastIndex(of: "") ?? lines.endIndex
        let start = lines[..<end].lastIndex(of: "").map { $0 + 1 } ?? 0
        notes.append(lines[start...].joined(separator: "\n") + "\n")
        (lines, isSigned) = ([], false)
      } else if !line.isEmpty || !lines.isEmpty {
        isSigned = line.hasPrefix("— ")
        lines.append(line)
      }
    }
    return notes
  }
}

extension VerificationReport {
  /// For a person: what was looked at, then each fault on a line.
  public var text: String {
    var lines = [
      "leaves        \(size)" + (dropped > 0 ? ", the contents of \(dropped) of them dropped" : ""),
      "root          \(root?.base64 ?? "none")",
      "events        \(events) compared"
        + (overtaken > 0 ? ", \(overtaken) removed since later ones have overtaken them" : ""),
      "checkpoints   \(checkpoints) compared; proven up to leaf \(provenSize)",
      "waiting       \(waiting) without a place",
    ]
    lines += notices.map { "notice        \($0)" }
    lines += faults.map { "fault         \($0)" }
    if faultCount > faults.count { lines.append("fault         … and \(faultCount - faults.count) more") }
    if let position = firstBadPosition { lines.append("first bad     position \(position)") }
    lines.append(
      isSound ? "result        the log is as it was written" : "result        THE LOG IS NOT AS IT WAS WRITTEN")
    return lines.joined(separator: "\n")
  }

  /// The same as one JSON object.
  public var json: String {
    let faults = faults.map { fault in
      "{\"position\":\(fault.position.map { "\($0)" } ?? "null"),\"text\":\(VerificationReport.quoted(fault.text))}"
    }
    let members = [
      "\"sound\":\(isSound)", "\"leaves\":\(size)", "\"dropped\":\(dropped)",
      "\"root\":\(root.map { "\"\($0.base64)\"" } ?? "null")", "\"events\":\(events)", "\"overtaken\":\(overtaken)",
      "\"checkpoints\":\(checkpoints)",
      "\"proven_size\":\(provenSize)", "\"waiting\":\(waiting)",
      "\"first_bad_position\":\(firstBadPosition.map { "\($0)" } ?? "null")", "\"fault_count\":\(faultCount)",
      "\"faults\":[\(faults.joined(separator: ","))]",
      "\"notices\":[\(notices.map(VerificationReport.quoted).joined(separator: ","))]",
    ]
    return "{\(members.joined(separator: ","))}"
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20: result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

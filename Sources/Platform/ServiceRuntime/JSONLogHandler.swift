import Core
import Glibc
import Logging

/// Writes log records to standard error as JSON lines: time, level, service, message, and the record's metadata. Secrets and
/// personal data are never given to it.
public struct JSONLogHandler: LogHandler {
  /// Metadata of every record.
  public var metadata: Logger.Metadata = [:]
  /// Records below are not written.
  public var logLevel: Logger.Level
  private let service: String
  private let clock: any Clock

  /// A log for one service.
  public init(service: String, level: Logger.Level, clock: some Clock) {
    self.service = service
    self.clock = clock
    logLevel = level
  }

  /// One value of the metadata of every record.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes a record in one system call, so that lines of several threads do not mix.
  public func log(event: LogEvent) {
    var line = "{\"time\":\"\(clock.now().iso8601)\",\"level\":\"\(event.level)\",\"service\":"
    appendJSON(service, to: &line)
    line += ",\"message\":"
    appendJSON("\(event.message)", to: &line)
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }
    ) {
      line += ","
      appendJSON(key, to: &line)
      line += ":"
      appendJSON("\(value)", to: &line)
    }
    line += "}\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// Appends text as a JSON string.
private func appendJSON(_ text: String, to line: inout String) {
  line += "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": line += "\\\""
    case "\\": line += "\\\\"
    case "\n": line += "\\n"
    case "\r": line += "\\r"
    case "\t": line += "\\t"
    case _ where scalar.value < 0x20:
      line += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
    default: line.unicodeScalars.append(scalar)
    }
  }
  line += "\""
}

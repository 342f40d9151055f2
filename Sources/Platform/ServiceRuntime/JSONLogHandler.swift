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
    line += "\(jsonString(service)),\"message\":\(jsonString("\(event.message)"))"
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }
    ) {
      line += ",\(jsonString(key)):\(jsonString("\(value)"))"
    }
    line += "}\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

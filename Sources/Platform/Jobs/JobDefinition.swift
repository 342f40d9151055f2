import Storage

/// A kind of long work: its name, and what does it.
public struct JobDefinition: Sendable {
  /// Does the work, or goes on with it from `JobRun.checkpoint`, and gives what came of it, if anything did. What it throws
  /// fails the attempt; `JobFailure` fails the job.
  public typealias Body = @Sendable (JobRun) async throws -> EncodedMessage?
  /// What is to be written when the job is cancelled after it has begun, together with its end.
  public typealias Undo = @Sendable (JobRun) async throws -> [Statement]

  /// For example "rebuild-name-index".
  public let kind: String
  /// What it does, in one sentence.
  public let summary: String
  /// Full name of the message that it asks for; nil if it has no parameters.
  public let parametersType: String?
  /// Whether a caller may begin one; the others the service begins itself.
  public let isStartable: Bool
  /// Pause between two that the service begins by itself, the first one at its start; nil if it begins none.
  public let interval: Duration?
  /// Attempts without getting further before it counts as failed. A process that dies with the job has made one.
  public let maximumAttempts: Int64
  let body: Body
  let undo: Undo

  /// A kind of work.
  public init(
    _ kind: String, summary: String, parametersType: String? = nil, isStartable: Bool = true, interval: Duration? = nil,
    maximumAttempts: Int64 = 5, undo: @escaping Undo = { _ in [] }, body: @escaping Body
  ) {
    self.kind = kind
    self.summary = summary
    self.parametersType = parametersType
    self.isStartable = isStartable
    self.interval = interval
    self.maximumAttempts = maximumAttempts
    self.body = body
    self.undo = undo
  }
}

/// A message in the wire format, and which one.
public struct EncodedMessage: Hashable, Sendable {
  /// Full name, for example "mainstay.reporting.v1.RebuildReportsRequest".
  public let type: String
  /// The encoded message.
  public let value: [UInt8]

  /// A message.
  public init(type: String, value: [UInt8]) {
    self.type = type
    self.value = value
  }
}

/// How far a job has come.
public struct JobProgress: Hashable, Sendable {
  /// So much is done.
  public var done: Int64
  /// Of so much; 0 if that is not known.
  public var total: Int64
  /// What is counted, in the plural.
  public var unit: String
  /// What it is at, for a person; no personal data.
  public var text: String

  /// So far.
  public init(done: Int64 = 0, total: Int64 = 0, unit: String = "", text: String = "") {
    self.done = done
    self.total = total
    self.unit = unit
    self.text = text
  }
}

/// The work cannot be done: trying again would not help.
public struct JobFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// Why, for the person who asked for it; no personal data.
  public let description: String

  /// A reason.
  public init(_ description: String) { self.description = description }
}

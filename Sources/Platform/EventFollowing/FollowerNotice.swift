import API

/// What a follower has to tell the person who looks after the service.
public enum FollowerNotice: Sendable, CustomStringConvertible {
  /// Events come no more, for this reason, or it fails for another reason than before. It is tried again until they do.
  case interrupted(any Error)
  /// Events come again after so many attempts that failed.
  case resumed(failures: Int)
  /// The first event of its type that the sink does not know or cannot read. It is kept, and has no effect.
  case skipped(Event)

  /// One line without personal data.
  public var description: String {
    switch self {
    case .interrupted(let error): "interrupted, and tried again until it works: \(error)"
    case .resumed(let failures): "resumed after \(failures) failed attempts"
    case .skipped(let event): "event \(event.eventID) of type \(event.type) cannot be read; kept and skipped"
    }
  }
}

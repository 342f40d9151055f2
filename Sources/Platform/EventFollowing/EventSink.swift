import API

/// Keeps what a follower learns: a read model, a copy of another service's rows.
public protocol EventSink: Sendable {
  /// The token of what was applied last; empty before anything was. Asked for each time a stream begins.
  func resumeToken() async throws -> String
  /// Applies some events and keeps the token, in one batch, so that each event counts once whatever happens between the two. An
  /// event of a kind that is not known, or that cannot be read, must not fail: keep it and go on. Returns those, which had no
  /// effect. `events` may be empty: then only the token is news.
  func apply(_ page: SubscribeResponse) async throws -> [Event]
  /// The token is of another life of the log: the service's database was restored. Begin anew, so that the next
  /// `resumeToken` is empty.
  func startOver() async throws
}

import Protobuf
import RPCCore

/// A post of a system outside that is known to be signed.
public struct SignedPost: Sendable {
  /// The name of its source.
  public let source: String
  /// What its sender calls it, 1 to 64 characters: the request id of what it changes, so that it counts once.
  public let id: String

  /// A post of a source.
  public init(source: String, id: String) { (self.source, self.id) = (source, id) }
}

/// What a service takes by posts from systems outside: an existing use case, and the message that it needs.
public struct PostKind: Sendable {
  /// For example "activities".
  public let name: String
  /// One line.
  public let summary: String
  /// Full name of the message whose JSON form a post has.
  public let messageName: String
  /// Full name of the message that answers it.
  public let answerName: String
  /// Applies a post in the wire form, and answers in it.
  public let apply: @Sendable ([UInt8], SignedPost, ServerContext) async throws -> [UInt8]

  /// A kind of posts. `take` must do the same as the method for it, once for each `SignedPost.id`: by a `RequestIdentity`, in the
  /// batch of what it changes.
  public init<Request: Message, Answer: Message>(
    _ name: String, summary: String,
    take: @escaping @Sendable (Request, SignedPost, ServerContext) async throws -> Answer
  ) {
    (self.name, self.summary) = (name, summary)
    (messageName, answerName) = (Request.fullName, Answer.fullName)
    apply = { bytes, post, context in
      try await take(try Request(serialized: bytes), post, context).serialized()
    }
  }
}

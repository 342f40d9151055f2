/// What handlers report to the test, in order; the test waits for it instead of sleeping.
final class Notes: Sendable {
  private let stream: AsyncStream<String>
  private let continuation: AsyncStream<String>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  func note(_ text: String) { continuation.yield(text) }

  /// The next note. One reader at a time.
  func next() async -> String {
    var iterator = stream.makeAsyncIterator()
    return await iterator.next() ?? "no more notes"
  }
}

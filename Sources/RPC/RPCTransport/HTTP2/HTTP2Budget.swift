import CNghttp2

/// What a connection holds for its streams, and what its peer may still send. The connection's window is opened as data come,
/// so that a stream that nobody reads does not stop the others; each stream's window is opened as its data are read.
extension HTTP2Connection {
  /// Whether the peer takes so little that it shall open no more streams.
  var isOverfull: Bool { heldBytes > limits.heldBytes }

  /// Whether so many bytes more may be held: not beyond the connection's limit, and nothing much while the process's budget is
  /// used up.
  func mayHold(_ more: Int) -> Bool {
    let sum = heldBytes + more
    return sum <= ByteBudget.stepBytes || sum <= limits.mostHeldBytes && !budget.isUsedUp
  }

  /// Counts bytes that are held from now on, or no longer.
  func hold(_ bytes: Int) {
    heldBytes += bytes
    let untold = heldBytes - toldBytes
    guard abs(untold) >= ByteBudget.stepBytes || heldBytes == 0 && untold != 0 else { return }
    budget.add(untold)
    toldBytes = heldBytes
  }

  /// Opens a stream's window by so much; when the connection holds too much, one stream at a time, so that at least the message
  /// of that one comes to its end.
  func giveCredit(_ stream: HTTP2Stream, _ count: Int) {
    if isOverfull, stream.keptBytes > 0, !isFirstInDebt(stream) {
      if stream.owedBytes == 0 { creditors.append(stream) }
      stream.owedBytes += count
      guard isFirstInDebt(stream) else { return }
      return payFirst()
    }
    nghttp2_session_consume_stream(session, stream.id, count)
    requestFlush()
  }

  /// Pays what is owed when less is held again, or to the next stream when the first one has what it needs.
  func settleDebts() {
    guard !creditors.isEmpty else { return }
    guard isOverfull else {
      let owed = creditors
      creditors = []
      for stream in owed { pay(stream) }
      return
    }
    while let first = creditors.first, first.connection == nil || first.keptBytes == 0 {
      pay(first)
      creditors.removeFirst()
    }
    payFirst()
  }

  private func isFirstInDebt(_ stream: HTTP2Stream) -> Bool { creditors.first === stream }

  private func payFirst() {
    if let first = creditors.first { pay(first) }
  }

  private func pay(_ stream: HTTP2Stream) {
    guard stream.owedBytes > 0, stream.connection != nil else { return }
    nghttp2_session_consume_stream(session, stream.id, stream.owedBytes)
    stream.owedBytes = 0
    requestFlush()
  }
}

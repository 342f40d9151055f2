import Synchronization

/// A server's certificates, read again when their files change. Connections that stand keep what they began with; those that
/// come get the new ones. Files that cannot be used change nothing: the old certificates go on, and the caller is told.
final class ServerCertificates: Sendable {
  /// The files: those that say who is trusted apart from the others.
  private struct Marks: Equatable {
    let authority: FileMark
    let others: [FileMark]

    init(_ configuration: TLSConfiguration) {
      authority = FileMark(configuration.authorityPath)
      others = [
        FileMark(configuration.certificateChainPath), FileMark(configuration.privateKeyPath),
        FileMark(configuration.revocationListPath),
      ]
    }
  }

  private struct State {
    var context: TLSContext
    var marks: Marks
    /// The authority that the context was made with.
    var authority: FileMark
    /// When new keys of tickets were due last, on the monotonic clock.
    var renewalNanoseconds: UInt64
    /// Whether the files could not be used when new keys were due.
    var lacksNewKeys = false

    func isRenewalDue(at now: UInt64) -> Bool {
      now &- renewalNanoseconds >= TLSContext.sessionLifetime.wholeNanoseconds
    }
  }

  private let configuration: TLSConfiguration
  private let state: Mutex<State>

  init(_ configuration: TLSConfiguration, at now: UInt64) throws(TransportError) {
    self.configuration = configuration
    // Before the files are read: what changes meanwhile is read again.
    let marks = Marks(configuration)
    state = Mutex(
      State(
        context: try TLSContext(configuration, role: .server), marks: marks, authority: marks.authority,
        renewalNanoseconds: now))
  }

  /// What connections that come now begin with.
  var current: TLSContext { state.withLock { $0.context } }

  /// Reads the files, changed or not. Tickets go on, unless others are trusted now or their keys are an hour old.
  func reload(at now: UInt64) throws(TransportError) {
    let marks = Marks(configuration)
    // Also when they cannot be used: they are looked at again when they have changed again.
    state.withLock { state in
      state.marks = marks
      guard state.isRenewalDue(at: now) else { return }
      (state.renewalNanoseconds, state.lacksNewKeys) = (now, true)
    }
    let context = try TLSContext(configuration, role: .server)
    state.withLock { state in
      if state.authority == marks.authority, !state.lacksNewKeys { context.takeTickets(of: state.context) }
      (state.context, state.authority, state.lacksNewKeys) = (context, marks.authority, false)
    }
  }

  /// Whether the files are others than those that were read last, or the keys of tickets are due.
  func isDue(at now: UInt64) -> Bool {
    let marks = Marks(configuration)
    return state.withLock { $0.marks != marks || $0.isRenewalDue(at: now) }
  }
}

import Core
import Synchronization

/// Where connections get their TLS settings from.
public protocol TLSContextSource: Sendable {
  /// What connections that come or are made now begin with.
  var current: TLSContext { get }
}

/// The certificates of a server, or those that a client shows to servers, read again when their files change. Connections that
/// stand keep what they began with, but those whose peer is revoked are closed. Files that cannot be used change nothing: the old certificates go on, and the owner is told.
public final class TLSCertificates: TLSContextSource {
  /// Told when certificates were read again: nil, or why the old ones go on.
  public typealias Listener = @Sendable (TransportError?) -> Void

  /// How often it is looked whether files have changed. Handshakes look at no file.
  public static let lookInterval: Duration = .seconds(1)

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

    /// Clients have no keys of tickets.
    func isRenewalDue(at now: UInt64) -> Bool {
      context.role == .server && now &- renewalNanoseconds >= TLSContext.sessionLifetime.wholeNanoseconds
    }
  }

  private let configuration: TLSConfiguration
  private let role: HTTP2Role
  private let clock: any Clock
  private let listener: Listener
  private let state: Mutex<State>
  /// Where connections of these certificates are.
  private let loops = Mutex<[ObjectIdentifier: EventLoop]>([:])

  /// Reads the files. Throws `badCertificate` with the path and what is wrong with it; later errors go to the listener.
  public init(
    _ configuration: TLSConfiguration, role: HTTP2Role, clock: any Clock, listener: @escaping Listener = { _ in }
  ) throws(TransportError) {
    self.configuration = configuration
    self.role = role
    self.clock = clock
    self.listener = listener
    // Before the files are read: what changes meanwhile is read again.
    let marks = Marks(configuration)
    state = Mutex(
      State(
        context: try TLSContext(configuration, role: role), marks: marks, authority: marks.authority,
        renewalNanoseconds: clock.monotonicNanoseconds()))
    current.source = self
  }

  /// What connections that begin now begin with.
  public var current: TLSContext { state.withLock { $0.context } }

  /// Reads the files again, changed or not, and tells the listener.
  public func reload() {
    do throws(TransportError) {
      try read()
      listener(nil)
    } catch {
      listener(error)
    }
  }

  /// Looks on a loop, every so often, whether the files have changed, as long as somebody holds the certificates.
  public func watch(on loop: EventLoop, every interval: Duration = TLSCertificates.lookInterval) {
    loop.execute { [weak self] in self?.lookLater(loop, interval) }
  }

  private func lookLater(_ loop: EventLoop, _ interval: Duration) {
    _ = loop.schedule(afterNanoseconds: interval.wholeNanoseconds) { [weak self] in
      guard let self else { return }
      if isDue { reload() }
      lookLater(loop, interval)
    }
  }

  /// Whether the files are others than those that were read last, or the keys of tickets are due.
  private var isDue: Bool {
    let (marks, now) = (Marks(configuration), clock.monotonicNanoseconds())
    return state.withLock { $0.marks != marks || $0.isRenewalDue(at: now) }
  }

  /// Tickets go on, unless others are trusted now or their keys are an hour old.
  private func read() throws(TransportError) {
    let (marks, now) = (Marks(configuration), clock.monotonicNanoseconds())
    // Also when they cannot be used: they are looked at again when they have changed again.
    state.withLock { state in
      state.marks = marks
      guard state.isRenewalDue(at: now) else { return }
      (state.renewalNanoseconds, state.lacksNewKeys) = (now, true)
    }
    let context = try TLSContext(configuration, role: role)
    context.source = self
    state.withLock { state in
      if role == .server, state.authority == marks.authority, !state.lacksNewKeys {
        context.takeTickets(of: state.context)
      }
      (state.context, state.authority, state.lacksNewKeys) = (context, marks.authority, false)
    }
    closeRevoked()
  }

  /// A connection begins on this loop.
  func begins(on loop: EventLoop) { loops.withLock { $0[ObjectIdentifier(loop)] = loop } }

  /// Whether a certificate has been revoked since a connection began with this list.
  func hasRevoked(_ certificate: OpaquePointer, since list: RevocationList?) -> Bool {
    guard let newest = current.revocations, newest !== list else { return false }
    return newest.revokes(certificate)
  }

  /// Closes the connections, on all loops, whose peers the newest list names. Those whose handshakes go on look at it themselves.
  private func closeRevoked() {
    guard current.revocations != nil else { return }
    for loop in loops.withLock({ Array($0.values) }) {
      loop.execute { [weak self] in
        guard let self else { return }
        for case let connection as SocketConnection in Array(loop.handlers.values) {
          connection.closeIfRevoked(by: self)
        }
      }
    }
  }
}

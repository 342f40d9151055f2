import Core
import Identity
import Logging
import RPCCore
import RPCTransport
import Signatures

/// Finds out who makes a call (decision 0025): the owner of its token, or else of the connection's certificate.
public final class CallerIdentification: Sendable {
  private let tokens: BearerTokens?
  private let files: TokenFiles?
  /// What is refused for who asks.
  public let refusals: RefusalLog

  private init(_ tokens: BearerTokens?, _ files: TokenFiles?, _ refusals: RefusalLog) {
    (self.tokens, self.files, self.refusals) = (tokens, files, refusals)
  }

  /// Settings of every program that is called.
  static let keys = [
    ConfigurationKey(
      "tokens.keys", "public keys of tokens, PEM; several files with commas between; no tokens are accepted if empty",
      default: ""),
    ConfigurationKey("tokens.issuer", "who gives the tokens: their iss", default: ""),
    ConfigurationKey("tokens.audience", "whom the tokens are for: one of their aud", default: ""),
  ]

  /// By certificates alone; refusals are counted and not logged.
  public convenience init() {
    self.init(nil, nil, RefusalLog(logger: nil, clock: SystemClock()))
  }

  /// As the settings say. Throws with the setting and what is wrong with it.
  convenience init(_ configuration: Configuration, logger: Logger, clock: some Clock) throws(ConfigurationError) {
    let refusals = RefusalLog(logger: logger, clock: clock)
    let paths = configuration.paths("tokens.keys")
    guard !paths.isEmpty else {
      self.init(nil, nil, refusals)
      return
    }
    for name in ["tokens.issuer", "tokens.audience"] where configuration.text(name).isEmpty {
      throw ConfigurationError("\(name) is not set; with tokens.keys it must be")
    }
    let marks = paths.map { FileMark($0) }
    do {
      let tokens = BearerTokens(
        issuer: configuration.text("tokens.issuer"), audience: configuration.text("tokens.audience"),
        keys: try TokenFiles.read(paths), clock: clock)
      self.init(tokens, TokenFiles(paths, marks: marks, tokens: tokens, logger: logger), refusals)
    } catch {
      throw ConfigurationError("tokens.keys: \(error)")
    }
  }

  /// Reads the keys again, changed or not.
  func reload() { files?.reload() }

  /// Reads them again whenever they change.
  func watch(on loop: EventLoop) { files?.watch(on: loop) }

  /// Figures for /metrics.
  var gauges: [Gauge] {
    refusals.gauges + [
      Gauge(
        "mainstay_token_keys_failures_total", help: "How often the files of the tokens' keys could not be used.",
        value: Double(files?.failureCount ?? 0))
    ]
  }

  /// Who makes a call, by the value of its header "authorization" if it has one: what the certificate says adds nothing then.
  /// For the gateway.
  public func identify(authorization: [UInt8]?, peer: Peer) -> CallerIdentity {
    guard let authorization else { return peer.caller.map { .known($0) } ?? .nobody }
    guard let tokens else {
      return .refused(AccessRefusal(.tokensNotAccepted, "tokens are not accepted here: tokens.keys is not set"))
    }
    do throws(AccessRefusal) {
      return .known(try tokens.caller(authorization: authorization, from: peer))
    } catch {
      return .refused(error)
    }
  }

  /// Who makes a call that came to a service: by itself, through the gateway, or through another service.
  func identify(_ context: ServerContext) -> CallerIdentity {
    let peer = context.peer
    let service = peer.certificate.flatMap { $0.organizationalUnit == serviceRole ? $0.commonName : nil }
    // It has no say of its own in the calls that it passes on.
    let isGateway = service == gatewayName
    let values = context.metadata.values("authorization")
    guard !values.isEmpty, tokens != nil || !isGateway else {
      guard isGateway else { return peer.caller.map { .known($0) } ?? .nobody }
      let caller = CallerMetadata.caller(
        in: context.metadata, via: gatewayName, believesSecondFactor: tokens == nil)
      return caller.map { .known($0) } ?? .nobody
    }
    let identity = identify(authorization: values.count == 1 ? values[0] : [], peer: peer)
    guard let service, let caller = identity.caller else { return identity }
    return .known(
      Caller(name: caller.name, roles: caller.roles, via: service, hasSecondFactor: caller.hasSecondFactor))
  }
}

import ArgumentParser
import Core
import RPCCore
import RPCTransport

/// How to reach a server, and as whom.
struct ConnectionOptions: ParsableArguments {
  /// Longest wait for the reply of one call that is no stream, when --deadline does not say.
  static let defaultDeadline = Duration.seconds(30)

  @OptionGroup var home: HomeOptions
  @Option(help: "HOST:PORT to call; the gateway of this machine without it, or MAINSTAY_TARGET.") var target: String?
  @Option(help: "Own certificate, PEM; the administrator's without it.") var certificate: String?
  @Option(help: "Own private key, PEM.") var privateKey: String?
  @Option(help: "File with a bearer token, which counts before the certificate; \"mainstay certs token\" makes one.")
  var tokenFile: String?
  @Option(help: "Authority that the server's certificate must come from, PEM.") var authority: String?
  @Option(help: "How long to wait for each reply, for example 5s, 200ms, 1m.") var deadline: CallDuration?

  /// Whom to call.
  func address() throws -> ServerAddress {
    if let text = target ?? environmentVariable("MAINSTAY_TARGET") {
      guard let address = ServerAddress(text) else { throw CommandFailure.usage("--target: \(text) is not HOST:PORT") }
      return address
    }
    let configured = ServerAddress(configuration: "\(home.folder.config)/gateway.yaml")
    return (configured ?? ServerAddress(host: "127.0.0.1", port: ServiceDefinition.gateway.defaultPort)).callable
  }

  /// The certificates of this end.
  func tls() throws -> TLSConfiguration {
    let folder = home.folder
    let authority = authority ?? folder.authority
    guard self.authority != nil || Files.exists(authority) else {
      throw CommandFailure(
        "no certificates in \(folder.pki); run \"mainstay up\" or \"mainstay certs init\", or give --home")
    }
    guard (certificate == nil) == (privateKey == nil) else {
      throw CommandFailure.usage("--certificate and --private-key belong together")
    }
    let admin = folder.certificate(DevelopmentCertificates.administrator)
    return TLSConfiguration(
      authorityPath: authority, certificateChainPath: certificate ?? admin.chain,
      privateKeyPath: privateKey ?? admin.key)
  }

  /// The token of the file that was named. Nothing of it is told, whatever is wrong with it.
  private func token() throws -> String? {
    guard let tokenFile else { return nil }
    let words = try Files.text(tokenFile).split(whereSeparator: \.isWhitespace)
    guard words.count == 1, words[0].utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw CommandFailure.usage("\(tokenFile) must hold one token and nothing else")
    }
    return String(words[0])
  }

  /// Does this on an event loop with a channel to the server.
  func withSession<Value: Sendable>(_ body: @escaping @Sendable (Session) async throws -> Value) throws -> Value {
    let (address, token, deadline) = (try address(), try token(), deadline)
    let context = try TLSContext(try tls(), role: .client)
    return try MainLoop.run { loop in
      let channel = ClientChannel(host: address.host, port: address.port, tls: context, loop: loop)
      return try await body(
        Session(channel: channel, loop: loop, address: address, deadline: deadline?.duration, token: token))
    }
  }
}

/// A channel to a server and the loop that it lives on.
struct Session: Sendable {
  let channel: ClientChannel
  let loop: EventLoop
  let address: ServerAddress
  /// As the person asked; nil leaves it to the command.
  let deadline: Duration?
  /// A bearer token, sent with each call.
  let token: String?

  /// For a call with one reply.
  func unaryOptions(_ metadata: Metadata = .init()) -> CallOptions {
    CallOptions(
      deadline: Deadline(after: deadline ?? ConnectionOptions.defaultDeadline, clock: loop.clock),
      metadata: authorized(metadata))
  }

  /// For a stream, which may last as long as it likes unless the person says otherwise.
  func streamOptions(_ metadata: Metadata = .init()) -> CallOptions {
    CallOptions(
      deadline: deadline.map { Deadline(after: $0, clock: loop.clock) }, metadata: authorized(metadata))
  }

  /// The metadata with the token, if there is one.
  func authorized(_ metadata: Metadata) -> Metadata {
    guard let token else { return metadata }
    var metadata = metadata
    metadata.add("authorization", "Bearer \(token)")
    return metadata
  }
}

/// A length of time as people write it: "5s", "200ms", "2m", "1h"; a bare number is seconds.
struct CallDuration: ExpressibleByArgument, Sendable {
  let duration: Duration

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), (1...1_000_000_000).contains(number) else { return nil }
    switch argument.dropFirst(digits.count) {
    case "ms": duration = .milliseconds(number)
    case "s", "": duration = .seconds(number)
    case "m": duration = .seconds(number * 60)
    case "h": duration = .seconds(number * 3_600)
    default: return nil
    }
  }
}

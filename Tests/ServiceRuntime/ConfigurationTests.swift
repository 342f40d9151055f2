import MainstayTesting
import ServiceRuntime
import Testing

@Suite struct ConfigurationTests {
  private let keys = ConfigurationKey.common + [ConfigurationKey("upstreams.*", "HOST:PORT of each service")]
  private let file = """
    listen: 127.0.0.1:7451
    tls:
      certificate: pki/a.pem
      private_key: /etc/a-key.pem
      authority: ca.pem
    upstreams: {customer: "127.0.0.1:1"}
    """

  private func load(
    _ text: String, arguments: [String] = [], environment: [String: String] = [:]
  ) throws -> Configuration {
    let folder = try TemporaryFolder()
    let path = try folder.write("service.yaml", text)
    return try Configuration(arguments: ["--config", path] + arguments, environment: environment, keys: keys)
  }

  @Test func aFlagCountsOverTheEnvironmentAndThatOverTheFile() throws {
    let environment = ["MAINSTAY_LISTEN": "127.0.0.1:2", "MAINSTAY_LOG_LEVEL": "debug", "MAINSTAY_HOME": "/else"]
    let configuration = try load(file, arguments: ["--log-level=error"], environment: environment)
    #expect(configuration.text("listen") == "127.0.0.1:2")
    #expect(configuration.text("log_level") == "error")
    #expect(configuration.text("event_loops") == "0")
    #expect(configuration.names(below: "upstreams") == ["customer"])
  }

  @Test func aRelativePathOfTheFileIsRelativeToIt() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("service.yaml", file)
    let configuration = try Configuration(
      arguments: ["--config", path, "--tls-authority", "here.pem"], environment: [:], keys: keys)
    #expect(configuration.path("tls.certificate") == "\(folder.path)/pki/a.pem")
    #expect(configuration.path("tls.private_key") == "/etc/a-key.pem")
    #expect(configuration.path("tls.authority") == "here.pem")
  }

  @Test(arguments: [
    ("listen: 127.0.0.1:1\nlisten_to: 3\n", "unknown key listen_to"),
    ("tls: {certificat: x}\n", "unknown key tls.certificat; is tls.certificate meant?"),
    ("listen: [1, 2]\n", "listen must be one value"),
    ("listen: 127.0.0.1:1\n", "tls.certificate is not set"),
    ("- 1\n", "must hold KEY: VALUE lines"),
    ("a: b: c\n", "service.yaml"),
  ])
  func aMistakeIsOneLineThatSaysWhatToDo(text: String, expected: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try load(text) }
    let line = error?.description ?? ""
    #expect(line.contains(expected), "\(line)")
  }

  @Test(arguments: [["--unknown", "1"], ["--listen"], ["stray"]])
  func anUnknownOrHalfArgumentIsRefused(arguments: [String]) throws {
    #expect(throws: ConfigurationError.self) { try load(file, arguments: arguments) }
  }

  @Test func aMissingFileIsNamed() {
    let error = #expect(throws: ConfigurationError.self) {
      try Configuration(arguments: ["--config", "/nowhere/x.yaml"], environment: [:], keys: keys)
    }
    #expect(error?.description == "cannot read /nowhere/x.yaml: No such file or directory")
  }

  @Test(arguments: ["", "7443", "host:", ":1", "host:65536", "host:-1"])
  func whatIsNoAddressIsRefused(text: String) throws {
    let configuration = try load(file, arguments: ["--listen", text])
    #expect(throws: ConfigurationError.self) { try configuration.address("listen") }
  }

  @Test func aServiceMayHaveSeveralAddresses() throws {
    let key = ConfigurationKey("upstreams.*", "services")
    func addresses(_ text: String) throws -> [String] {
      let folder = try TemporaryFolder()
      let file = try folder.write("f.yaml", "upstreams: {customer: \"\(text)\"}\n")
      let configuration = try Configuration(arguments: ["--config", file], environment: [:], keys: [key])
      return try configuration.addresses("upstreams.customer").map { "\($0.host) \($0.port)" }
    }
    #expect(try addresses("a:1") == ["a 1"])
    #expect(try addresses("a:1,b.example:2, [::1]:3") == ["a 1", "b.example 2", "::1 3"])
    for wrong in ["", "a", "a:1,", "a:1,b", "a:1,b:65536"] {
      #expect(throws: ConfigurationError.self, "\(wrong)") { try addresses(wrong) }
    }
  }
}

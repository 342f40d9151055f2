import Glibc

/// Where Mainstay keeps its state on this machine: certificates, data, logs, process ids and configuration.
struct StateFolder: Sendable {
  /// Absolute path.
  let path: String

  /// The folder that a flag names, else MAINSTAY_HOME, else .mainstay in the current folder.
  init(flag: String?) {
    let chosen = flag ?? environmentVariable("MAINSTAY_HOME").flatMap { $0.isEmpty ? nil : $0 } ?? ".mainstay"
    path = FilePaths.absolute(chosen)
  }

  /// Certificates and keys.
  var pki: String { "\(path)/pki" }
  /// Databases.
  var data: String { "\(path)/data" }
  /// A log per process.
  var logs: String { "\(path)/logs" }
  /// Process ids.
  var run: String { "\(path)/run" }
  /// A configuration file per service.
  var config: String { "\(path)/config" }

  /// Checkpoints of the audit logs, outside the data.
  var audit: String { "\(path)/audit" }

  /// The key that a service signs its audit log's checkpoints with.
  func auditKey(of service: ServiceDefinition) -> String { "\(pki)/\(service.name)-audit-key.pem" }

  /// The public keys of all audit logs, one a line.
  var auditKeys: String { "\(pki)/audit-keys.txt" }

  /// The key that tokens for tests are signed with.
  var tokenKey: String { "\(pki)/token-signing-key.pem" }

  /// The public keys of tokens, for the gateway and the services.
  var tokenKeys: String { "\(pki)/token-keys.pem" }

  /// The file that a service's checkpoints are added to.
  func checkpointFile(of service: ServiceDefinition) -> String { "\(audit)/\(service.name).checkpoints" }

  /// A certificate, and where its key stands.
  func certificate(_ name: String) -> (chain: String, key: String) {
    ("\(pki)/\(name).pem", "\(pki)/\(name)-key.pem")
  }

  /// The development authority's certificate.
  var authority: String { "\(pki)/ca.pem" }

  /// A service's configuration file.
  func configuration(of service: ServiceDefinition) -> String { "\(config)/\(service.name).yaml" }

  /// The log of a process.
  func log(of name: String) -> String { "\(logs)/\(name).log" }

  /// The file with a service's process id.
  func processFile(of name: String) -> String { "\(run)/\(name).pid" }

  /// Makes the folders that are missing, closed to others. The parent must be there.
  func create() throws {
    for folder in [path, pki, data, logs, run, config, audit] { try Files.makeFolder(folder) }
  }
}

/// Paths.
enum FilePaths {
  /// The path from the root.
  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return "\(String(cString: current))/\(path)"
  }

  /// The program that is running.
  static func ownProgram() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return CommandLine.arguments.first ?? "mainstay" }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// All but the last part; "." without one.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

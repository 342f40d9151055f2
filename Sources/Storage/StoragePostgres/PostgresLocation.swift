import CPostgres
import Glibc
import Storage

/// Which server, which database and which schema; knows the password, and never shows it.
public struct PostgresLocation: Sendable, CustomStringConvertible {
  /// Why a connection string cannot be used; one line without the string, which may hold a secret.
  public struct Invalid: Error, Hashable, CustomStringConvertible {
    /// The line.
    public let description: String
  }

  /// Where, for messages: host, port, database and schema.
  public let description: String
  /// Where the service's tables are.
  public let schema: String
  /// libpq's keywords and their values.
  let parameters: [String: String]

  /// Reads a connection string of libpq ("postgresql://user@host:port/name?sslmode=verify-full&sslrootcert=…").
  ///
  /// A password stands in `passwordFile`, or in the file that the string's `passfile` names, or in ~/.pgpass: each readable by its
  /// owner alone. One in the string is refused, since it would be seen in the configuration and in the list of processes.
  /// `schema` is made by the migration; lower-case letters, digits and _. `application` is how the server's own lists call us.
  public init(
    uri: String, schema: String, application: String, passwordFile: String? = nil
  ) throws(Invalid) {
    guard schema.wholeMatch(of: /[a-z][a-z0-9_]{0,62}/) != nil else {
      throw Invalid(description: "the schema \(schema) must be lower-case letters, digits and _")
    }
    var parameters = try PostgresLocation.parse(uri)
    guard parameters["password"] == nil else {
      throw Invalid(description: "a password must not stand in the connection string; put it into a file (mode 0600)")
    }
    guard parameters["options"] == nil, parameters["client_encoding"] == nil else {
      throw Invalid(description: "options and client_encoding are set by Mainstay; leave them out")
    }
    if let file = parameters["passfile"] { _ = try PostgresLocation.secret(file) }
    if let passwordFile { parameters["password"] = try PostgresLocation.secret(passwordFile) }
    let host = parameters["host"] ?? parameters["hostaddr"] ?? "localhost"
    let database = parameters["dbname"] ?? parameters["user"] ?? ""
    description = "postgresql://\(host):\(parameters["port"] ?? "5432")/\(database) (schema \(schema))"
    self.schema = schema
    let standard = [
      "fallback_application_name": application,
      // A server that is gone without a word is noticed within half a minute.
      "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "25000",
    ]
    self.parameters = parameters.merging(standard) { given, _ in given }
  }

  private static func parse(_ uri: String) throws(Invalid) -> [String: String] {
    guard uri.utf8.count <= 4_096, uri.hasPrefix("postgresql://"), let options = PQconninfoParse(uri, nil) else {
      throw Invalid(description: "is no connection string like postgresql://USER@HOST:PORT/NAME")
    }
    defer { PQconninfoFree(options) }
    var parameters: [String: String] = [:]
    var next = options
    while let keyword = next.pointee.keyword {
      if let value = next.pointee.val { parameters[String(cString: keyword)] = String(cString: value) }
      next += 1
    }
    return parameters
  }

  /// The first line of a file that its owner alone may read.
  private static func secret(_ path: String) throws(Invalid) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Invalid(description: "cannot read \(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else {
      throw Invalid(description: "\(path) holds a password, so its owner alone may read it: chmod 0600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = read(file, &bytes, bytes.count)
    guard count > 0 else { throw Invalid(description: "\(path) holds no password") }
    return String(decoding: bytes.prefix(count).prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
  }
}

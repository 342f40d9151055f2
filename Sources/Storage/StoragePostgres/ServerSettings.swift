import Storage

/// What a server must be set to, asked of it at each connection: a reply OK means that the rows are on its disk.
enum ServerSettings {
  /// The oldest version whose behaviour is relied upon.
  static let minimumVersion: Int64 = 140_000

  /// One that writes takes its share of the schema's lock with it.
  static func question(_ role: ConnectionRole, schema: String) -> Round {
    Round(commands: [
      Command(
        """
        SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
          current_setting('server_encoding'), current_setting('server_version_num')::bigint,
          \(role == .write ? ReplicaLock.share(schema) : "1::bigint")
        """)
    ])
  }

  /// Why the server may not be used; nil if it may.
  static func refusal(_ replies: [Reply], path: String) -> StorageError? {
    guard case .rows(let rows) = replies.first, let row = rows.first else {
      let message = replies.first?.failure?.message ?? "no answer"
      return .cannotOpen(path: path, reason: "the server does not say how it is set: \(message)")
    }
    do {
      for (column, name) in ["fsync", "full_page_writes", "synchronous_commit"].enumerated()
      where try row.text(column) == "off" {
        return .cannotOpen(
          path: path, reason: "the server runs with \(name) = off and would lose what it has acknowledged; set it to on"
        )
      }
      let encoding = try row.text(3)
      guard encoding == "UTF8" else {
        return .cannotOpen(
          path: path,
          reason: "its encoding is \(encoding); make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
      }
      let version = try row.integer(4)
      guard version >= minimumVersion else {
        return .cannotOpen(path: path, reason: "the server's version is \(version / 10_000); 14 or later is needed")
      }
      guard try row.integer(5) == 1 else {
        return .unreachable(path: path, reason: "a newer program is changing its schema")
      }
      return nil
    } catch {
      return .cannotOpen(path: path, reason: "the server does not say how it is set: \(error)")
    }
  }
}

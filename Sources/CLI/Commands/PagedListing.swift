import API
import Protobuf

extension ConnectionOptions {
  /// Rows that are asked for at once.
  private static let pageSize: Int32 = 1_000

  /// Prints what a List method gives, page by page; `limit` rows at most, 0 for all.
  func list<Row: Message>(
    _ output: OutputOptions, columns: [String], limit: Int = 0, cells: @escaping @Sendable (Row) -> [String],
    _ page: @escaping @Sendable (Session, Int32, String) async throws -> ([Row], String)
  ) throws {
    let terminal = Terminal.current()
    let format = output.resolved(terminal)
    try withSession { session in
      let listing = Listing(columns, format: format, terminal: terminal, output: StandardOutput())
      var token = ""
      var left = limit > 0 ? limit : Int.max
      repeat {
        let size = Int32(clamping: min(left, Int(ConnectionOptions.pageSize)))
        let (rows, next) = try await page(session, size, token)
        for row in rows.prefix(left) { try listing.add(cells(row)) { try MessageJSON.text(row) } }
        left -= min(left, rows.count)
        token = next
      } while !token.isEmpty && left > 0
      listing.finish()
    }
  }
}

extension OutputOptions {
  /// Prints one message: in full as JSON, else as the one row of a list.
  func show<Row: Message>(_ row: Row, columns: [String], cells: (Row) -> [String]) throws {
    let terminal = Terminal.current()
    let format = resolved(terminal)
    if format == .json { return printLine(try MessageJSON.text(row, pretty: true)) }
    let listing = Listing(columns, format: format, terminal: terminal, output: StandardOutput())
    listing.add(cells(row))
    listing.finish()
  }
}

/// JSON of the API's messages.
enum MessageJSON {
  static func text<Value: Message>(_ message: Value, pretty: Bool = false) throws -> String {
    do {
      let transcoder = JSONTranscoder(try APIDescriptors.pool.get())
      return try transcoder.decode(try message.serialized(), as: Value.fullName, pretty: pretty)
    } catch {
      throw CommandFailure("a reply has no JSON form: \(error)")
    }
  }
}

import RPCTransport
import ServiceRuntime

/// Which pages of other origins may call (Fetch standard, CORS protocol). None, unless the configuration names them.
struct CORS: Sendable {
  /// How long a browser may remember what is allowed.
  private static let maximumAgeSeconds = 7_200
  /// Headers of a reply that a page may read: all, for credentials are never allowed.
  private static let exposed = "*"

  private let origins: Set<String>

  /// Origins such as https://desk.example; throws for anything that a browser would not send as one.
  init(_ origins: [String]) throws {
    for origin in origins {
      let parts = origin.components(of: "://")
      guard parts.count == 2, ["https", "http"].contains(parts[0]), !parts[1].isEmpty, !parts[1].contains("/") else {
        throw ConfigurationError("cors.origins: \(origin) is no origin; write SCHEME://HOST or SCHEME://HOST:PORT")
      }
    }
    self.origins = Set(origins)
  }

  /// What a reply to these headers says to the browser.
  func reply(to headers: HeaderBlock) -> [(String, String)] {
    guard let origin = headers.first("origin") else { return [] }
    guard origins.contains(origin) else { return [("vary", "origin")] }
    return [
      ("access-control-allow-origin", origin), ("access-control-expose-headers", CORS.exposed), ("vary", "origin"),
    ]
  }

  /// The answer to a browser that asks whether a page may call; nil if it does not ask.
  func preflight(_ headers: HeaderBlock) -> HeaderBlock? {
    guard headers.first(":method") == "OPTIONS", let origin = headers.first("origin"),
      headers.first("access-control-request-method") != nil
    else { return nil }
    guard origins.contains(origin) else { return HeaderBlock([(":status", "403"), ("vary", "origin")]) }
    var answer = HeaderBlock([
      (":status", "204"), ("access-control-allow-origin", origin), ("access-control-allow-methods", "GET, POST"),
      ("access-control-max-age", String(CORS.maximumAgeSeconds)), ("vary", "origin, access-control-request-headers"),
    ])
    // What the browser asks for is what it would send, and each call is checked by itself.
    if let wanted = headers.first("access-control-request-headers") {
      answer.append("access-control-allow-headers", wanted)
    }
    return answer
  }
}

extension String {
  fileprivate func components(of separator: String) -> [String] {
    guard let range = firstRange(of: separator) else { return [self] }
    return [String(self[..<range.lowerBound]), String(self[range.upperBound...])]
  }
}

import COpenSSL
import Glibc

/// An IPv4 or IPv6 address and port.
struct SocketAddress: Sendable, Equatable, CustomStringConvertible {
  private var storage = sockaddr_storage()
  private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  init() {}

  static func == (left: SocketAddress, right: SocketAddress) -> Bool {
    left.length == right.length
      && left.withPointer { one, length in right.withPointer { other, _ in memcmp(one, other, Int(length)) == 0 } }
  }

  /// The addresses of a name or of an IP address in text. Asks the system's resolver, which may take its time for a name;
  /// with `literal` it does not, and a name has none.
  static func resolve(host: String, port: Int, literal: Bool = false) -> [SocketAddress] {
    guard (0...65_535).contains(port) else { return [] }
    var hints = addrinfo()
    if literal { hints.ai_flags = AI_NUMERICHOST }
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let entry = next {
      if let source = entry.pointee.ai_addr, Int(entry.pointee.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size {
        var address = SocketAddress()
        address.length = entry.pointee.ai_addrlen
        memcpy(&address.storage, source, Int(address.length))
        addresses.append(address)
      }
      next = entry.pointee.ai_next
    }
    return addresses
  }

  /// The address that a socket is bound to.
  static func local(of descriptor: Int32) -> SocketAddress? {
    var address = SocketAddress()
    let result = address.withMutablePointer { getsockname(descriptor, $0, $1) }
    return result == 0 ? address : nil
  }

  /// The address that a socket is connected to.
  static func remote(of descriptor: Int32) -> SocketAddress? {
    var address = SocketAddress()
    let result = address.withMutablePointer { getpeername(descriptor, $0, $1) }
    return result == 0 ? address : nil
  }

  /// For those who ask; nil if it is no IP address.
  var facts: AddressFacts? {
    guard let port else { return nil }
    let bytes: [UInt8] = withPointer { pointer, _ in
      let raw = UnsafeRawPointer(pointer)
      return family == AF_INET
        ? withUnsafeBytes(of: raw.load(as: sockaddr_in.self).sin_addr, Array.init)
        : withUnsafeBytes(of: raw.load(as: sockaddr_in6.self).sin6_addr, Array.init)
    }
    return AddressFacts(bytes: bytes, port: port, description: description)
  }

  /// Whose it is, as far as limits by address go: nil if it is no IP address.
  var source: SourceAddress? {
    withPointer { pointer, _ in
      let raw = UnsafeRawPointer(pointer)
      switch Int32(pointer.pointee.sa_family) {
      case AF_INET: return .v4(raw.load(as: sockaddr_in.self).sin_addr.s_addr)
      case AF_INET6:
        return withUnsafeBytes(of: raw.load(as: sockaddr_in6.self).sin6_addr) { bytes in
          // An IPv4 address in IPv6's form (RFC 4291, 2.5.5.2) is the same client.
          let isMapped = bytes[0..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
          return isMapped
            ? .v4(bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            : .v6(prefix: bytes.loadUnaligned(as: UInt64.self))
        }
      default: return nil
      }
    }
  }

  /// AF_INET or AF_INET6.
  var family: Int32 { Int32(storage.ss_family) }

  /// The port; nil if it is no IP address.
  var port: Int? {
    withPointer { pointer, _ in
      switch Int32(pointer.pointee.sa_family) {
      case AF_INET: Int(UInt16(bigEndian: UnsafeRawPointer(pointer).load(as: sockaddr_in.self).sin_port))
      case AF_INET6: Int(UInt16(bigEndian: UnsafeRawPointer(pointer).load(as: sockaddr_in6.self).sin6_port))
      default: nil
      }
    }
  }

  /// "127.0.0.1:7443" or "[::1]:7443".
  var description: String {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let result = withPointer { getnameinfo($0, $1, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) }
    guard result == 0 else { return "unknown" }
    let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (family == AF_INET6 ? "[\(text)]" : text) + ":\(port ?? 0)"
  }

  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  mutating func withMutablePointer<Result>(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
  ) -> Result {
    withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
    }
  }
}

/// A client's address without its port; of IPv6 the /64.
enum SourceAddress: Hashable, Sendable {
  case v4(UInt32)
  case v6(prefix: UInt64)
}

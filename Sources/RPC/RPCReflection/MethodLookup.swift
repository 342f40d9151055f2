import API
import Protobuf
import RPCCore

/// A method as the descriptors have it, and the JSON of its messages.
public struct CallableMethod: Sendable {
  /// What is called.
  public let descriptor: MethodDescriptor
  /// Turns its messages into JSON and back.
  public let transcoder: JSONTranscoder
}

/// Why there is no such method, for the person who named it.
public struct MethodLookupFailure: Error {
  /// One line.
  public let message: String
  /// Whether the name itself is wrong, whatever the server has.
  public let isUsage: Bool

  init(_ message: String, isUsage: Bool = false) {
    self.message = message
    self.isUsage = isUsage
  }
}

/// Finds a method by its name "package.Service/Method": in the descriptors that this program was built with, or by asking the
/// server (grpc.reflection.v1).
public struct MethodLookup: Sendable {
  /// Most files that are asked of a server for one method.
  static let maximumFiles = 1_000

  private typealias Wanted = ReflectionV1ServerReflectionRequest.MessageRequest

  private let channel: any RPCCore.Channel
  private let address: String
  private let options: CallOptions

  /// A lookup over a channel, used on its loop; `address` is the server's name in messages.
  public init(channel: any RPCCore.Channel, address: String, options: CallOptions) {
    self.channel = channel
    self.address = address
    self.options = options
  }

  /// The method; from the server's reflection only if `onlyReflection`. Throws `MethodLookupFailure` or the call's status.
  public func find(_ name: String, onlyReflection: Bool) async throws -> CallableMethod {
    let parts = name.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count == 2 else {
      throw MethodLookupFailure("\(name) is no method; give PACKAGE.SERVICE/METHOD", isUsage: true)
    }
    let path = parts.joined(separator: "/")
    if !onlyReflection, let pool = try? APIDescriptors.pool.get(), let method = pool.method(at: path) {
      return MethodLookup.callable(method, service: String(parts[0]), pool: pool)
    }
    let pool = try await reflectedPool(service: String(parts[0]))
    guard let service = pool.service(named: String(parts[0])) else {
      throw MethodLookupFailure("\(address) does not describe the service \(parts[0])")
    }
    guard let method = pool.method(at: path) else {
      let names = service.methods.map(\.name).joined(separator: ", ")
      throw MethodLookupFailure("\(parts[0]) has no method \(parts[1]); it has \(names)")
    }
    return MethodLookup.callable(method, service: service.fullName, pool: pool)
  }

  private static func callable(_ method: ProtoMethod, service: String, pool: DescriptorPool) -> CallableMethod {
    let kind: CallKind =
      switch (method.clientStreaming, method.serverStreaming) {
      case (false, false): .unary
      case (true, false): .clientStreaming
      case (false, true): .serverStreaming
      case (true, true): .bidirectional
      }
    return CallableMethod(
      descriptor: MethodDescriptor(
        service: service, name: method.name, kind: kind, requestType: method.inputType, responseType: method.outputType),
      transcoder: JSONTranscoder(pool))
  }

  /// The service's file and all that it imports, as the server describes them.
  private func reflectedPool(service: String) async throws -> DescriptorPool {
    let client = ReflectionV1ServerReflectionClient(channel: channel)
    let call = try await client.serverReflectionInfo(options: options)
    var files: [String: [UInt8]] = [:]
    var pending: [Wanted] = [.fileContainingSymbol(service)]
    while let wanted = pending.popLast() {
      if case .fileByFilename(let name) = wanted, files[name] != nil { continue }
      var request = ReflectionV1ServerReflectionRequest()
      request.messageRequest = wanted
      try await call.write(request)
      for bytes in try described(await call.next(), service: service) {
        guard let file = try? DescriptorPool(fileDescriptorSet: fileSet([bytes])).files.first else {
          throw MethodLookupFailure("\(address) sends a description that cannot be read")
        }
        guard files.updateValue(bytes, forKey: file.name) == nil else { continue }
        pending += file.dependencies.filter { files[$0] == nil }.map { Wanted.fileByFilename($0) }
      }
      guard files.count <= MethodLookup.maximumFiles else {
        throw MethodLookupFailure("\(address) describes \(service) by more than \(MethodLookup.maximumFiles) files")
      }
    }
    call.finishSending()
    do { return try DescriptorPool(fileDescriptorSet: fileSet(Array(files.values))) } catch {
      throw MethodLookupFailure("\(address) sends a description that cannot be read: \(error)")
    }
  }

  private func described(
    _ response: ReflectionV1ServerReflectionResponse?, service: String
  ) throws -> [[UInt8]] {
    switch response?.messageResponse {
    case .fileDescriptorResponse(let reply)?: return reply.fileDescriptorProto
    case .errorResponse(let error)?:
      let code = StatusCode(rawValue: Int(error.errorCode)) ?? .unknown
      throw RPCError(code, "\(service) is not known at \(address): \(error.errorMessage)")
    default: throw MethodLookupFailure("\(address) does not describe its services")
    }
  }

  /// A google.protobuf.FileDescriptorSet of serialized files.
  private func fileSet(_ files: [[UInt8]]) -> [UInt8] {
    var set: [UInt8] = []
    for file in files {
      set.append(0x0A)
      var length = file.count
      while length >= 0x80 {
        set.append(UInt8(length & 0x7F) | 0x80)
        length >>= 7
      }
      set.append(UInt8(length))
      set.append(contentsOf: file)
    }
    return set
  }
}

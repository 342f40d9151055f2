import API
import Protobuf
import RPCCore

/// A method as the descriptors have it, and the JSON of its messages.
struct CallableMethod: Sendable {
  let descriptor: MethodDescriptor
  let transcoder: JSONTranscoder
}

/// Finds a method by its name "package.Service/Method": in the descriptors that this program was built with, or by asking the
/// server (grpc.reflection.v1).
struct MethodLookup: Sendable {
  /// Most files that are asked of a server for one method.
  static let maximumFiles = 1_000

  private typealias Wanted = ReflectionV1ServerReflectionRequest.MessageRequest

  let session: Session
  let metadata: Metadata

  /// The method; from the server's reflection only if `onlyReflection`.
  func find(_ name: String, onlyReflection: Bool) async throws -> CallableMethod {
    let parts = name.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count == 2 else {
      throw CommandFailure.usage("\(name) is no method; give PACKAGE.SERVICE/METHOD")
    }
    let path = parts.joined(separator: "/")
    if !onlyReflection, let pool = try? APIDescriptors.pool.get(), let method = pool.method(at: path) {
      return MethodLookup.callable(method, service: String(parts[0]), pool: pool)
    }
    let pool = try await reflectedPool(service: String(parts[0]))
    guard let service = pool.service(named: String(parts[0])) else {
      throw CommandFailure("\(session.address) does not describe the service \(parts[0])")
    }
    guard let method = pool.method(at: path) else {
      let names = service.methods.map(\.name).joined(separator: ", ")
      throw CommandFailure("\(parts[0]) has no method \(parts[1]); it has \(names)")
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
    let client = ReflectionV1ServerReflectionClient(channel: session.channel)
    let call = try await client.serverReflectionInfo(options: session.unaryOptions(metadata))
    var files: [String: [UInt8]] = [:]
    var pending: [Wanted] = [.fileContainingSymbol(service)]
    while let wanted = pending.popLast() {
      if case .fileByFilename(let name) = wanted, files[name] != nil { continue }
      var request = ReflectionV1ServerReflectionRequest()
      request.messageRequest = wanted
      try await call.write(request)
      for bytes in try described(await call.next(), service: service) {
        guard let file = try? DescriptorPool(fileDescriptorSet: fileSet([bytes])).files.first else {
          throw CommandFailure("\(session.address) sends a description that cannot be read")
        }
        guard files.updateValue(bytes, forKey: file.name) == nil else { continue }
        pending += file.dependencies.filter { files[$0] == nil }.map { Wanted.fileByFilename($0) }
      }
      guard files.count <= MethodLookup.maximumFiles else {
        throw CommandFailure("\(session.address) describes \(service) by more than \(MethodLookup.maximumFiles) files")
      }
    }
    call.finishSending()
    do { return try DescriptorPool(fileDescriptorSet: fileSet(Array(files.values))) } catch {
      throw CommandFailure("\(session.address) sends a description that cannot be read: \(error)")
    }
  }

  private func described(
    _ response: ReflectionV1ServerReflectionResponse?, service: String
  ) throws -> [[UInt8]] {
    switch response?.messageResponse {
    case .fileDescriptorResponse(let reply)?: return reply.fileDescriptorProto
    case .errorResponse(let error)?:
      let code = StatusCode(rawValue: Int(error.errorCode)) ?? .unknown
      throw RPCError(code, "\(service) is not known at \(session.address): \(error.errorMessage)")
    default: throw CommandFailure("\(session.address) does not describe its services")
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

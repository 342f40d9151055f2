import API
import Protobuf
import RPCCore

/// grpc.reflection: tells clients which services and messages there are, from the descriptors that the API is generated from.
public struct ReflectionEndpoint: ReflectionV1ServerReflectionHandler {
  private let pool: DescriptorPool
  private let services: [String]

  /// Both names of the service.
  public static let names: Set<String> = [
    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
  ]

  /// Lists these services; files and symbols are found for all that the API has.
  public init(services: Set<String>) throws {
    pool = try APIDescriptors.pool.get()
    self.services = services.sorted()
  }

  /// Both versions of the service: their messages have the same numbers and types, so one handler answers both.
  public var bindings: [MethodBinding] {
    methodBindings + [
      .bidirectional(ReflectionV1AlphaServerReflectionMethods.serverReflectionInfo) {
        (
          requests: RequestReader<ReflectionV1ServerReflectionRequest>,
          responses: ResponseWriter<ReflectionV1ServerReflectionResponse>, context
        ) in
        try await serverReflectionInfo(requests, responses, context)
      }
    ]
  }

  /// Answers questions one by one.
  public func serverReflectionInfo(
    _ requests: RequestReader<ReflectionV1ServerReflectionRequest>,
    _ responses: ResponseWriter<ReflectionV1ServerReflectionResponse>, _ context: ServerContext
  ) async throws {
    while let request = try await requests.next() {
      var response = ReflectionV1ServerReflectionResponse()
      response.validHost = request.host
      response.originalRequest = request
      response.messageResponse = answer(request)
      try await responses.write(response)
    }
  }

  private func answer(
    _ request: ReflectionV1ServerReflectionRequest
  ) -> ReflectionV1ServerReflectionResponse.MessageResponse {
    switch request.messageRequest {
    case .listServices:
      var list = ReflectionV1ListServiceResponse()
      list.service = services.map { name in
        var service = ReflectionV1ServiceResponse()
        service.name = name
        return service
      }
      return .listServicesResponse(list)
    case .fileByFilename(let name): return files(pool.file(named: name), "file \(name)")
    case .fileContainingSymbol(let symbol): return files(pool.fileContaining(symbol: symbol), "symbol \(symbol)")
    case .fileContainingExtension(let wanted):
      let (type, number) = (wanted.containingType, wanted.extensionNumber)
      let file = pool.files.first { file in
        file.extends.contains { $0.extendee == type && $0.number == Int(number) }
      }
      return files(file, "extension \(number) of \(type)")
    case .allExtensionNumbersOfType(let type):
      guard pool.message(named: type) != nil else { return error(.notFound, "message \(type) not found") }
      var numbers = ReflectionV1ExtensionNumberResponse()
      numbers.baseTypeName = type
      numbers.extensionNumber = pool.files.flatMap(\.extends).filter { $0.extendee == type }
        .map { Int32(clamping: $0.number) }.sorted()
      return .allExtensionNumbersResponse(numbers)
    case nil: return error(.invalidArgument, "the request asks nothing: set one of its fields")
    }
  }

  private func files(
    _ file: ProtoFile?, _ wanted: String
  ) -> ReflectionV1ServerReflectionResponse.MessageResponse {
    guard let file else { return error(.notFound, "\(wanted) not found") }
    var response = ReflectionV1FileDescriptorResponse()
    // The file that was asked for comes first: some clients look at no other.
    response.fileDescriptorProto = pool.fileWithDependencies(file.name).reversed().map(\.bytes)
    return .fileDescriptorResponse(response)
  }

  private func error(
    _ code: StatusCode, _ message: String
  ) -> ReflectionV1ServerReflectionResponse.MessageResponse {
    var response = ReflectionV1ErrorResponse()
    response.errorCode = Int32(code.rawValue)
    response.errorMessage = message
    return .errorResponse(response)
  }
}

import Protobuf

/// Writes a service: its methods, the protocol of its handler and its client.
struct ServiceWriter {
  let service: ProtoService
  let names: SwiftNames

  private var name: String { names.service(service.fullName) }
  private var comment: String { service.comment }

  func write(to source: inout SourceText) {
    writeMethods(to: &source)
    source.line()
    writeHandler(to: &source)
    source.line()
    writeBindings(to: &source)
    source.line()
    writeClient(to: &source)
  }

  private func swiftName(_ method: ProtoMethod) -> String { SwiftNames.quoted(SwiftNames.method(method.name)) }
  private func request(_ method: ProtoMethod) -> String { names.type(method.inputType) }
  private func response(_ method: ProtoMethod) -> String { names.type(method.outputType) }

  private func kind(_ method: ProtoMethod) -> String {
    switch (method.clientStreaming, method.serverStreaming) {
    case (false, false): "unary"
    case (true, false): "clientStreaming"
    case (false, true): "serverStreaming"
    case (true, true): "bidirectional"
    }
  }

  private func writeMethods(to source: inout SourceText) {
    source.line("/// The methods of `\(service.fullName)` with their options.")
    source.block("public enum \(name)Methods") { source in
      for method in service.methods {
        source.documentation(method.comment, otherwise: "The method `\(method.name)`.")
        source.line("public static let \(swiftName(method)) = MethodDescriptor(")
        source.indented { source in
          source.line("service: \"\(service.fullName)\", name: \"\(method.name)\", kind: .\(kind(method)),")
          source.line("idempotency: .\(method.idempotency), permission: \(permission(method)),")
          source.line("requestType: \"\(method.inputType)\", responseType: \"\(method.outputType)\")")
        }
        source.line()
      }
      source.line("/// All of them, as declared.")
      source.line("public static let all: [MethodDescriptor] = [")
      source.indented { source in
        for method in service.methods { source.line("\(swiftName(method)),") }
      }
      source.line("]")
    }
  }

  private func permission(_ method: ProtoMethod) -> String {
    guard let permission = method.permission else { return "nil" }
    let roles = permission.roles.map { "\"\($0)\"" }.joined(separator: ", ")
    // A permission that does not say a class protects like the highest.
    let dataClass = [1: "public", 2: "internal", 3: "sensitive"][permission.dataClass] ?? "confidential"
    return "MethodPermission(\n      roles: [\(roles)], dataClass: .\(dataClass), "
      + "secondFactor: \(permission.secondFactor), twoPerson: \(permission.twoPerson))"
  }

  private func writeHandler(to source: inout SourceText) {
    source.documentation(comment, otherwise: "The service `\(service.fullName)`.")
    source.block("public protocol \(name)Handler: Sendable") { source in
      for method in service.methods {
        let requests =
          method.clientStreaming ? "_ requests: RequestReader<\(request(method))>" : "_ request: \(request(method))"
        let responses = method.serverStreaming ? "_ responses: ResponseWriter<\(response(method))>, " : ""
        let result = method.serverStreaming ? "" : " -> \(response(method))"
        source.documentation(method.comment, otherwise: "The method `\(method.name)`.")
        source.line("func \(swiftName(method))(")
        source.indented { $0.line("\(requests), \(responses)_ context: ServerContext") }
        source.line(") async throws\(result)")
      }
    }
  }

  private func writeBindings(to source: inout SourceText) {
    source.block("extension \(name)Handler") { source in
      source.line("/// The methods, each with what answers it.")
      source.block("public var methodBindings: [MethodBinding]") { source in
        source.line("[")
        source.indented { source in
          for method in service.methods {
            let descriptor = "\(name)Methods.\(swiftName(method))"
            let arguments = method.serverStreaming ? "$0, $1, $2" : "$0, $1"
            source.line(".\(kind(method))(\(descriptor)) { try await self.\(swiftName(method))(\(arguments)) },")
          }
        }
        source.line("]")
      }
    }
  }

  private func writeClient(to source: inout SourceText) {
    source.line("/// Calls `\(service.fullName)`.")
    source.block("public struct \(name)Client: Sendable") { source in
      source.line("/// Carries the calls.")
      source.line("public let channel: any RPCCore.Channel")
      source.line()
      source.line("/// A client on a channel.")
      source.line("public init(channel: any RPCCore.Channel) { self.channel = channel }")
      for method in service.methods {
        source.line()
        source.documentation(method.comment, otherwise: "The method `\(method.name)`.")
        writeCall(method, to: &source)
      }
    }
  }

  private func writeCall(_ method: ProtoMethod, to source: inout SourceText) {
    let descriptor = "\(name)Methods.\(swiftName(method))"
    source.line("public func \(swiftName(method))(")
    if method.clientStreaming {
      source.indented { $0.line("options: CallOptions = .init()") }
      source.block(") async throws -> StreamingCall<\(request(method)), \(response(method))>") {
        $0.line("try await channel.streaming(\(descriptor), options)")
      }
    } else {
      let result = method.serverStreaming ? "ResponseReader<\(response(method))>" : response(method)
      source.indented { $0.line("_ request: \(request(method)), options: CallOptions = .init()") }
      source.block(") async throws -> \(result)") {
        $0.line("try await channel.\(kind(method))(\(descriptor), request, options)")
      }
    }
  }
}

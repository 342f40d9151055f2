import API
import Identity
import Protobuf
import RPCCore
import RPCTransport
import ServiceRuntime

/// Where calls go: by the package of the service, or, for what every service has, by the metadata `mainstay-service`.
struct Routes: Sendable {
  /// What is to be done with a call.
  enum Decision {
    /// Pass it to this upstream.
    case forward(Upstream, MethodDescriptor)
    /// Health and reflection of the gateway itself.
    case answerHere
    /// Of a method, if there is one of this name.
    case refuse(RPCError, of: MethodDescriptor?)
  }

  /// A service behind the gateway.
  struct Upstream: Sendable, Equatable {
    let name: String
    /// Its replicas.
    let targets: [ConnectionTarget]
  }

  private struct Package {
    let upstream: Upstream
    let access: AccessMode
  }

  /// A class, since each call looks one up and a copy has many references.
  private final class Method: Sendable {
    let descriptor: MethodDescriptor
    let permission: MethodPermission?
    let isInfrastructure: Bool
    /// Whether it may be called by GET, whose request stands in logs and caches.
    let allowsGet: Bool
    /// Whether the gateway has it too, and answers when `mainstay-service` names no service.
    let isOwn: Bool
    let package: Package?

    init(
      descriptor: MethodDescriptor, permission: MethodPermission?, isInfrastructure: Bool, allowsGet: Bool,
      isOwn: Bool, package: Package?
    ) {
      (self.descriptor, self.permission, self.package) = (descriptor, permission, package)
      (self.isInfrastructure, self.allowsGet, self.isOwn) = (isInfrastructure, allowsGet, isOwn)
    }
  }

  /// All that there are, by name.
  let upstreams: [String: Upstream]
  private let methods: [String: Method]
  /// Full names of what can be called through the gateway.
  let services: Set<String>
  private let access: AccessMode

  init(_ configuration: Configuration, access: AccessMode) throws {
    self.access = access
    var upstreams: [String: Upstream] = [:]
    for name in configuration.names(below: "upstreams") {
      let targets = try configuration.addresses("upstreams.\(name)").map {
        ConnectionTarget(host: $0.host, port: $0.port)
      }
      upstreams[name] = Upstream(name: name, targets: targets)
    }
    self.upstreams = upstreams
    let packages = try Routes.packages(configuration, upstreams: upstreams)
    let pool = try APIDescriptors.pool.get()
    var methods: [String: Method] = [:]
    for service in pool.services {
      let package = String(service.fullName.dropLast(service.name.count + 1))
      let isOwn = service.isInfrastructure || package == "grpc.channelz.v1"
      guard isOwn || package == "mainstay.platform.v1" || packages[package] != nil else { continue }
      for method in service.methods {
        methods["/\(service.fullName)/\(method.name)"] = Method(
          descriptor: MethodDescriptor(
            service: service.fullName, name: method.name, kind: method.kind,
            idempotency: Idempotency(method.idempotency), requestType: method.inputType, responseType: method.outputType
          ),
          permission: method.permission.map(MethodPermission.init), isInfrastructure: service.isInfrastructure,
          allowsGet: method.idempotency == .noSideEffects && !pool.hasSensitiveFields(method.inputType), isOwn: isOwn,
          package: packages[package])
      }
    }
    self.methods = methods
    services = Set(methods.keys.map { String($0.dropFirst().prefix { $0 != "/" }) })
  }

  /// Decides in the order that the design asks for: does the method exist, may the caller, where to.
  func decide(path: String, service: String?, identity: CallerIdentity) -> Decision {
    guard let method = methods[path] else { return .refuse(unimplemented(path), of: nil) }
    func refuse(_ error: RPCError) -> Decision { .refuse(error, of: method.descriptor) }
    if access == .checked, method.package?.access != .public, !method.isInfrastructure {
      do throws(AccessRefusal) {
        _ = try identity.authorized(for: method.permission, path: path)
      } catch {
        return refuse(error.rpcError)
      }
    }
    if let package = method.package { return .forward(package.upstream, method.descriptor) }
    if let service {
      guard let upstream = upstreams[service] else {
        return refuse(RPCError(.unimplemented, "\(CallerMetadata.service): there is no service of this name"))
      }
      return .forward(upstream, method.descriptor)
    }
    if method.isOwn { return .answerHere }
    let names = upstreams.keys.sorted().joined(separator: ", ")
    return refuse(
      RPCError(
        .invalidArgument, "every service has this method; name one in metadata \(CallerMetadata.service): \(names)"))
  }

  /// What is called, and whether GET may; nil if there is no such method.
  func method(path: String) -> (descriptor: MethodDescriptor, allowsGet: Bool)? {
    methods[path].map { ($0.descriptor, $0.allowsGet) }
  }

  func unimplemented(_ path: String) -> RPCError {
    let parts = path.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, path.hasPrefix("/") else {
      return RPCError(.unimplemented, "the path must be /service/method")
    }
    return services.contains(String(parts[0]))
      ? RPCError(.unimplemented, "\(parts[0]) has no method \(parts[1])")
      : RPCError(.unimplemented, "no service \(parts[0]) behind this gateway")
  }

  /// mainstay.AREA.v1 goes to the upstream AREA; `routes.PACKAGE.upstream` says others.
  private static func packages(
    _ configuration: Configuration, upstreams: [String: Upstream]
  ) throws -> [String: Package] {
    var packages: [String: Package] = [:]
    for upstream in upstreams.values {
      packages["mainstay.\(upstream.name).v1"] = Package(upstream: upstream, access: .checked)
    }
    for name in configuration.names(below: "routes") {
      guard name.hasSuffix(".upstream") || name.hasSuffix(".access") else {
        throw ConfigurationError("routes.\(name): a route has an upstream and may have an access")
      }
      guard name.hasSuffix(".upstream") else { continue }
      let package = String(name.dropLast(".upstream".count))
      guard let upstream = upstreams[configuration.text("routes.\(name)")] else {
        throw ConfigurationError("routes.\(name): \(configuration.text("routes.\(name)")) is not among the upstreams")
      }
      let accessKey = "routes.\(package).access"
      let access =
        configuration.text(accessKey).isEmpty ? .checked : try configuration.choice(accessKey, AccessMode.self)
      packages[package] = Package(upstream: upstream, access: access)
    }
    return packages
  }
}

extension ProtoService {
  fileprivate var isInfrastructure: Bool {
    fullName.hasPrefix("grpc.health.") || fullName.hasPrefix("grpc.reflection.")
  }
}

extension MethodPermission {
  fileprivate init(_ permission: ProtoMethod.Permission) {
    self.init(
      roles: permission.roles, dataClass: DataClass(rawValue: permission.dataClass) ?? .confidential,
      secondFactor: permission.secondFactor, twoPerson: permission.twoPerson)
  }
}

extension Idempotency {
  fileprivate init(_ level: ProtoMethod.Idempotency) {
    switch level {
    case .unknown: self = .unknown
    case .noSideEffects: self = .noSideEffects
    case .idempotent: self = .idempotent
    }
  }
}

extension ProtoMethod {
  fileprivate var kind: CallKind {
    switch (clientStreaming, serverStreaming) {
    case (false, false): .unary
    case (true, false): .clientStreaming
    case (false, true): .serverStreaming
    case (true, true): .bidirectional
    }
  }
}

extension DescriptorPool {
  /// Whether a message, or one within it, has a field for data that must not stand in logs.
  fileprivate func hasSensitiveFields(_ messageName: String) -> Bool {
    var seen: Set<String> = []
    var pending = [messageName]
    while let name = pending.popLast() {
      guard seen.insert(name).inserted, let message = message(named: name) else { continue }
      for field in message.fields {
        if field.dataClass >= DataClass.sensitive.rawValue { return true }
        if !field.typeName.isEmpty { pending.append(field.typeName) }
      }
    }
    return false
  }
}

import API
import Protobuf
import Testing

@Suite struct DescriptorPoolTests {
  let pool: DescriptorPool

  init() throws { pool = try APIDescriptors.pool.get() }

  @Test func optionsOfMethodsAndFieldsAreRead() throws {
    let get = try #require(pool.method(at: "mainstay.customer.v1.CustomerService/GetCustomer"))
    #expect(get.idempotency == .noSideEffects)
    #expect(get.permission?.roles == ["back-office", "agent", "service"])
    #expect(get.permission?.dataClass == 4)
    #expect(get.inputType == "mainstay.customer.v1.GetCustomerRequest")
    let importing = try #require(pool.method(at: "mainstay.customer.v1.CustomerService/ImportParties"))
    #expect(importing.clientStreaming && importing.serverStreaming && importing.idempotency == .idempotent)
    #expect(try #require(pool.method(at: "grpc.health.v1.Health/Check")).permission == nil)
    let identifier = try #require(pool.message(named: "mainstay.customer.v1.Identifier"))
    #expect(identifier.field(number: 3)?.dataClass == 4)
    #expect(identifier.field(number: 1)?.dataClass == 0)
  }

  @Test func generatedMethodsSayTheSameAsTheDescriptors() throws {
    for method in CustomerServiceMethods.all + PolicyServiceMethods.all + EventServiceMethods.all
      + TestingTestServiceMethods.all
    {
      let described = try #require(pool.method(at: String(method.path.dropFirst())))
      #expect(described.inputType == method.requestType && described.outputType == method.responseType)
      #expect(
        described.clientStreaming == method.kind.clientStreams && described.serverStreaming == method.kind.serverStreams
      )
      #expect(described.permission?.roles == method.permission?.roles)
      #expect(described.permission?.dataClass == method.permission?.dataClass.rawValue)
    }
  }

  @Test func fieldsKnowTheirTypes() throws {
    let party = try #require(pool.message(named: "mainstay.customer.v1.Party"))
    #expect(party.fields.map(\.number) == Array(1...14))
    #expect(party.oneofs.map(\.name) == ["kind"])
    let person = try #require(party.field(number: 5))
    #expect(person.oneofIndex == 0 && person.jsonName == "person")
    #expect(person.typeIndex.map { pool.messages[$0].fullName } == "mainstay.customer.v1.Person")
    let metadata = try #require(pool.message(named: "google.rpc.ErrorInfo")?.field(number: 3))
    #expect(metadata.isMap)
  }

  @Test(arguments: [
    ("mainstay.customer.v1.Party", "mainstay/customer/v1/party.proto"),
    ("mainstay.customer.v1.Party.kind", "mainstay/customer/v1/party.proto"),
    ("mainstay.customer.v1.SEX_FEMALE", "mainstay/customer/v1/party.proto"),
    ("mainstay.customer.v1.CustomerService.GetParty", "mainstay/customer/v1/customer_service.proto"),
    ("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"),
    ("grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"),
    ("mainstay.platform.v1.permission", "mainstay/platform/v1/options.proto"),
  ])
  func symbolsLeadToTheirFile(symbol: String, file: String) {
    #expect(pool.fileContaining(symbol: symbol)?.name == file)
  }

  @Test func aFileComesBehindWhatItImports() {
    let names = pool.fileWithDependencies("mainstay/customer/v1/party.proto").map(\.name)
    #expect(names.last == "mainstay/customer/v1/party.proto")
    #expect(
      Set(names) == [
        "google/protobuf/descriptor.proto", "google/protobuf/timestamp.proto", "google/type/date.proto",
        "mainstay/platform/v1/options.proto", "mainstay/customer/v1/party.proto",
      ])
    #expect(pool.fileWithDependencies("no/such.proto").isEmpty)
  }

  @Test func brokenBytesAreRefused() {
    #expect(throws: WireFailure.self) { try DescriptorPool(fileDescriptorSet: [0x0A, 0x05, 0x01]) }
  }
}

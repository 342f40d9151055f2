import CustomerService
import ProductCopies
import ServiceRuntime
import ServiceStorage

let partner = ConfigurationKey.upstream("partner", "whose products policies are checked against")

await ServiceProcess.run("customer", CustomerServiceApplication.self, keys: [partner]) { environment, database in
  guard let channel = try environment.channel(to: "partner") else { return [] }
  let follower = ProductCopies(database: database).follower(channel, clock: environment.clock)
  return [{ try await follower.run(sleep: environment.sleep, onError: environment.onLoopError) }]
}

import CustomerService
import ServiceRuntime
import ServiceStorage

let partner = ConfigurationKey.upstream("partner", "whose products policies are checked against")

await ServiceProcess.run("customer", CustomerServiceApplication.self, keys: [partner]) { environment, service in
  try environment.followingProducts(for: service)
}

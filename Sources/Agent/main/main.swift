import AgentService
import ServiceRuntime
import ServiceStorage

let partner = ConfigurationKey.upstream("partner", "whose products agents may offer")

await ServiceProcess.run("agent", AgentServiceApplication.self, keys: [partner]) { environment, service in
  try environment.followingProducts(for: service)
}

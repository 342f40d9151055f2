import Gateway
import ServiceRuntime

await ServiceProcess.run("gateway", keys: GatewayApplication.keys, check: GatewayApplication.check) {
  try await GatewayApplication.start($0)
}

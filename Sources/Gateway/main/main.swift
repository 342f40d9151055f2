import Gateway
import ServiceRuntime

await ServiceProcess.run("gateway", keys: GatewayApplication.keys) { try await GatewayApplication.start($0) }

import AgentService
import ServiceRuntime
import ServiceStorage

await ServiceProcess.run("agent", AgentServiceApplication.self)

import PartnerService
import ServiceRuntime
import ServiceStorage

await ServiceProcess.run("partner", PartnerServiceApplication.self)

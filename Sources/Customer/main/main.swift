import CustomerService
import ServiceRuntime
import ServiceStorage

await ServiceProcess.run("customer", CustomerServiceApplication.self)

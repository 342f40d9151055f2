import CustomerService
import ServiceRuntime
import ServiceStorage

// The customer service of a release that is not there yet: today's, with a migration more. Today's program is the older one
// beside it. With NEXT_CUSTOMER=contracts a migration follows that takes away again what the first one has brought.
await ServiceProcess.run("customer", NextCustomer.self)

import CustomerService
import MainstayTesting

typealias TestService = InProcessService<CustomerServiceApplication>

// customer-server PORT CERT KEY: answers GetCustomer with one constant customer, over TLS without client certificates.
// The reply has the shape and about the size of the one that Mainstay gives in the benchmark; the work beside the wire
// is nothing, so the comparison is kind to this peer.
#include "mainstay/customer/v1/customer_service.grpc.pb.h"
#include "tls_server.h"

namespace customer = mainstay::customer::v1;

namespace {

customer::Customer Constant() {
  customer::Customer reply;
  reply.set_customer_id("cus_01JABCDEFGHJKMNPQRSTVWXYZ0");
  reply.set_display_name("Li Xiaoming");
  reply.set_etag("1");
  reply.mutable_create_time()->set_seconds(1700000000);
  reply.mutable_update_time()->set_seconds(1700000000);
  auto* party = reply.add_parties();
  party->set_party_id("par_01JABCDEFGHJKMNPQRSTVWXYZ1");
  party->set_customer_id(reply.customer_id());
  party->set_source("bench");
  party->set_source_key("000001");
  party->set_etag("1");
  party->mutable_person()->set_family_name("Li");
  party->mutable_person()->set_given_name("Xiaoming");
  party->add_phones("+86 138 0013 8000");
  *party->mutable_create_time() = reply.create_time();
  *party->mutable_update_time() = reply.update_time();
  return reply;
}

class Service final : public customer::CustomerService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetCustomer(grpc::CallbackServerContext* context, const customer::GetCustomerRequest* request,
                                        customer::Customer* reply) override {
    auto* reactor = context->DefaultReactor();
    if (request->customer_id().empty()) {
      reactor->Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "customer_id: required"));
      return reactor;
    }
    *reply = constant_;
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const customer::Customer constant_ = Constant();
};

}  // namespace

int main(int count, char** arguments) {
  Service service;
  return Serve(service, "customer-server", count, arguments);
}

// customer-server PORT CERT KEY: answers GetCustomer with one constant customer, over TLS without client certificates.
// The reply has the shape and about the size of the one that Mainstay gives in the benchmark; the work beside the wire
// is nothing, so the comparison is kind to this peer.
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "mainstay/customer/v1/customer_service.grpc.pb.h"

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

std::string Contents(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: customer-server PORT CERT KEY\n";
    return 2;
  }
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({Contents(arguments[3]), Contents(arguments[2])});

  Service service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + arguments[1], grpc::SslServerCredentials(tls));
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::cout << "ready, replies have " << Constant().ByteSizeLong() << " bytes" << std::endl;
  server->Wait();
}

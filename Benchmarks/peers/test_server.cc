// test-server PORT CERT KEY: grpc.testing.TestService over TLS without client certificates, by gRPC C++'s callback API. What
// Mainstay's interop server does, so that one client can load both.
#include "grpc/testing/test.grpc.pb.h"
#include "tls_server.h"

namespace testing = grpc::testing;

namespace {

class Sum final : public grpc::ServerReadReactor<testing::StreamingInputCallRequest> {
 public:
  explicit Sum(testing::StreamingInputCallResponse* reply) : reply_(reply) { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) {
      reply_->set_aggregated_payload_size(static_cast<int>(bytes_));
      return Finish(grpc::Status::OK);
    }
    bytes_ += request_.payload().body().size();
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  testing::StreamingInputCallResponse* const reply_;
  testing::StreamingInputCallRequest request_;
  size_t bytes_ = 0;
};

class Answers final : public grpc::ServerWriteReactor<testing::StreamingOutputCallResponse> {
 public:
  explicit Answers(const testing::StreamingOutputCallRequest* request) : request_(*request) { Next(); }
  void OnWriteDone(bool ok) override {
    if (ok) return Next();
    Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (next_ == request_.response_parameters_size()) return Finish(grpc::Status::OK);
    reply_.mutable_payload()->set_body(std::string(request_.response_parameters(next_++).size(), '\0'));
    StartWrite(&reply_);
  }

  const testing::StreamingOutputCallRequest request_;
  testing::StreamingOutputCallResponse reply_;
  int next_ = 0;
};

class Service final : public testing::TestService::CallbackService {
 public:
  grpc::ServerUnaryReactor* EmptyCall(grpc::CallbackServerContext* context, const testing::Empty*, testing::Empty*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerUnaryReactor* UnaryCall(grpc::CallbackServerContext* context, const testing::SimpleRequest* request,
                                      testing::SimpleResponse* reply) override {
    auto* reactor = context->DefaultReactor();
    reply->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerReadReactor<testing::StreamingInputCallRequest>* StreamingInputCall(
      grpc::CallbackServerContext*, testing::StreamingInputCallResponse* reply) override {
    return new Sum(reply);
  }
  grpc::ServerWriteReactor<testing::StreamingOutputCallResponse>* StreamingOutputCall(
      grpc::CallbackServerContext*, const testing::StreamingOutputCallRequest* request) override {
    return new Answers(request);
  }
};

}  // namespace

int main(int count, char** arguments) {
  Service service;
  return Serve(service, "test-server", count, arguments);
}

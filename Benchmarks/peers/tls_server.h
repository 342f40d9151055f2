// What both servers do: read their arguments and serve over TLS, without client certificates, until they are ended.
#pragma once

#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

inline std::string Contents(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The exit code of a server whose arguments are PORT CERT KEY.
inline int Serve(grpc::Service& service, const char* name, int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: " << name << " PORT CERT KEY\n";
    return 2;
  }
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({Contents(arguments[3]), Contents(arguments[2])});
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + arguments[1], grpc::SslServerCredentials(tls));
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  server->Wait();
  return 0;
}

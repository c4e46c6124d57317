// gRPC, to compare the cost of calls with: its callback server, and its asynchronous client with calls under way.
//
// usage: grpc_peer serve                             says its address to who started it
//        grpc_peer call ADDRESS SERVER_PID CALLS     says calls a second, and CPU seconds of both for 100,000
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "remote/process.hpp"
#include "sample.grpc.pb.h"

namespace {

using busbar::host::kSecond;
using busbar::host::now_ns;

class Answering final : public bench::Bench::CallbackService {
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const bench::Sample* request,
                                   bench::Sample* answer) override {
    *answer = *request;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int serve() {
  Answering service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return EXIT_FAILURE;
  bench::say_to_starter("127.0.0.1:" + std::to_string(port));
  server->Wait();
  return EXIT_SUCCESS;
}

// One thread, and calls that are begun again when they have come back.
class Client {
 public:
  explicit Client(const std::string& address)
      : stub_(bench::Bench::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    request_.set_payload(std::string(64, 'x'));
  }

  void run(int calls) {
    int begun = 0;
    for (Slot& slot : slots_) {
      begin(slot);
      ++begun;
    }
    for (int ended = 0; ended < calls; ++ended) {
      void* tag = nullptr;
      bool ok = false;
      queue_.Next(&tag, &ok);
      Slot& slot = *static_cast<Slot*>(tag);
      if (!ok || !slot.status.ok() || slot.answer.payload().size() != 64) {
        std::fprintf(stderr, "a gRPC call failed: %s\n", slot.status.error_message().c_str());
        std::exit(EXIT_FAILURE);
      }
      if (begun++ < calls) begin(slot);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Sample>> reader;
    bench::Sample answer;
    grpc::Status status;
  };

  void begin(Slot& slot) {
    slot.reader.reset();
    slot.context = std::make_unique<grpc::ClientContext>();
    slot.reader = stub_->AsyncAnswer(slot.context.get(), request_, &queue_);
    slot.reader->Finish(&slot.answer, &slot.status, &slot);
  }

  const std::unique_ptr<bench::Bench::Stub> stub_;
  grpc::CompletionQueue queue_;
  bench::Sample request_;
  std::array<Slot, 64> slots_;
};

int call(const std::string& address, pid_t server, int calls) {
  Client client(address);
  client.run(calls / 20);  // warms up
  const auto cpu = [&] { return bench::cpu_time(::getpid()) + bench::cpu_time(server); };
  const auto cpu_before = cpu(), before = now_ns();
  client.run(calls);
  const double took = static_cast<double>(now_ns() - before) / kSecond;
  const double cost = static_cast<double>(cpu() - cpu_before) / kSecond;
  bench::say_to_starter(std::to_string(calls / took) + " " + std::to_string(cost * 1e5 / calls));
  ::pause();  // until the starter has read it, and ends this
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "serve") return serve();
  if (what == "call" && argc == 5) return call(argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
  std::fprintf(stderr, "usage: grpc_peer serve | grpc_peer call ADDRESS SERVER_PID CALLS\n");
  return EXIT_FAILURE;
}

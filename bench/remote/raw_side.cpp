// The floor: libzmq alone. A DEALER sends 64 bytes over tcp, a ROUTER sends them back, both in plain blocking loops.
#include <sys/types.h>

#include <array>
#include <zmq.hpp>

#include "remote/bench_keys.hpp"
#include "remote/process.hpp"
#include "remote/side.hpp"

namespace bench {

namespace {

class RawSide final : public Side {
 public:
  RawSide(const Placement& at, const std::string& keys)
      : server_((run_on(at.worker), std::vector<std::string>{own_program(), "--serve", "raw", "--keys", keys})) {
    const std::string address = server_.line();
    run_on(at.caller);
    context_ = zmq::context_t(1);
    dealer_ = zmq::socket_t(context_, zmq::socket_type::dealer);
    dealer_.set(zmq::sockopt::linger, 0);
    if (!keys.empty()) {
      const auto own = key_of(keys, "caller");
      dealer_.set(zmq::sockopt::curve_secretkey, own.secret.text());
      dealer_.set(zmq::sockopt::curve_publickey, own.key.text());
      dealer_.set(zmq::sockopt::curve_serverkey, key_of(keys, "provider").key.text());
    }
    dealer_.connect(address);
  }

  void call() override {
    send();
    receive();
  }

  void run(std::size_t calls) override {
    std::size_t sent = 0;
    for (; sent < kUnderWay; ++sent) send();
    for (std::size_t received = 0; received < calls; ++received) {
      receive();
      if (sent++ < calls) send();
    }
  }

  pid_t server() const override { return server_.pid(); }

 private:
  void send() { dealer_.send(zmq::const_buffer(bytes_.data(), bytes_.size())); }
  void receive() { (void)dealer_.recv(zmq::mutable_buffer(bytes_.data(), bytes_.size())); }

  ServerProcess server_;
  zmq::context_t context_;
  zmq::socket_t dealer_;
  std::array<char, 64> bytes_{};
};

}  // namespace

MakeSide raw_side(const std::string& keys) {
  return [keys](const Placement& at) { return std::make_unique<RawSide>(at, keys); };
}

void serve_raw(const std::string& keys) {
  zmq::context_t context(1);
  zmq::socket_t router(context, zmq::socket_type::router);
  if (!keys.empty()) {
    router.set(zmq::sockopt::curve_server, true);
    router.set(zmq::sockopt::curve_secretkey, key_of(keys, "provider").secret.text());
  }
  router.bind("tcp://127.0.0.1:*");
  say_to_starter(router.get(zmq::sockopt::last_endpoint));
  zmq::message_t from, body;
  for (;;) {
    (void)router.recv(from);
    (void)router.recv(body);
    router.send(from, zmq::send_flags::sndmore);
    router.send(body, zmq::send_flags::none);
  }
}

}  // namespace bench

#include "busbar/registry/net/gatekeeper.hpp"

#include <pthread.h>
#include <zmq.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "busbar/registry/net/socket.hpp"

namespace busbar::registry::net {

namespace {

constexpr const char* kZap = "inproc://zeromq.zap.01";
constexpr std::chrono::milliseconds kBeforeAnother{100};

// A request of RFC 27: version, request id, domain, address, identity, mechanism, and for CURVE the public key.
enum Part : std::size_t { kVersion, kRequest, kDomain, kAddress, kIdentity, kMechanism, kKey, kParts };
using Request = std::array<zmq::message_t, kParts>;

// Nothing: it is none, or of a mechanism that we do not use.
std::optional<keys::PublicKey> key_of(const Request& request) {
  constexpr std::size_t kRawKey = 32;
  if (request[kMechanism].to_string_view() != "CURVE" || request[kKey].size() != kRawKey) return std::nullopt;
  std::array<char, keys::kKeyText + 1> text{};
  zmq_z85_encode(text.data(), request[kKey].data<std::uint8_t>(), kRawKey);
  return keys::PublicKey::from({text.data(), keys::kKeyText});
}

bool receive(zmq::socket_t& socket, zmq::message_t& part) {
  for (;;) {
    if (zmq_msg_recv(part.handle(), socket.handle(), 0) >= 0) return true;
    if (zmq_errno() != EINTR) throw zmq::error_t();
  }
}

// False: it has another number of parts; all of it has been read.
bool receive(zmq::socket_t& socket, Request& request) {
  std::size_t parts = 0;
  zmq::message_t surplus;
  for (bool more = true; more; ++parts) {
    zmq::message_t& part = parts < kParts ? request[parts] : surplus;
    receive(socket, part);
    more = part.more();
  }
  return parts == kParts;
}

void answer(zmq::socket_t& socket, zmq::message_t& request_id, bool yes, std::string_view user) {
  const auto text = [&](std::string_view part) { socket.send(zmq::buffer(part), zmq::send_flags::sndmore); };
  text("1.0");
  socket.send(request_id, zmq::send_flags::sndmore);
  text(yes ? "200" : "400");
  text(yes ? "" : "this key is not let in");
  text(user);
  socket.send(zmq::message_t(), zmq::send_flags::none);  // no metadata
}

}  // namespace

class Gatekeeper::Core {
 public:
  Core(zmq::context_t& context, Decide decide, Fault fault)
      : context_(context),
        decide_(std::move(decide)),
        fault_(std::move(fault)),
        gate_(context, zmq::socket_type::rep),
        stop_(context, zmq::socket_type::pair),
        stopper_(context, zmq::socket_type::pair) {
    open(gate_);
    const std::string address = "inproc://busbar-gate-stop";  // of this context, which has one gatekeeper
    stop_.bind(address);
    stopper_.connect(address);
    stopper_.set(zmq::sockopt::linger, 0);
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "busbar-gate");
  }
  ~Core() {
    while (zmq_send(stopper_.handle(), "", 0, 0) < 0 && zmq_errno() == EINTR) {
    }
    thread_.join();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

 private:
  static void open(zmq::socket_t& gate) {
    gate.set(zmq::sockopt::linger, 0);
    gate.set(zmq::sockopt::rcvhwm, 0);  // who finds no room waits for ever
    gate.bind(kZap);
  }

  void run() noexcept {
    for (;;) {
      try {
        if (gate_.handle() == nullptr) {
          gate_ = zmq::socket_t(context_, zmq::socket_type::rep);
          open(gate_);
        }
        return serve();
      } catch (const std::exception& error) {
        fault_(std::string("nobody was let in for a moment: ") + error.what());
      }
      gate_.close();
      if (stops_within(kBeforeAnother)) return;
    }
  }

  bool stops_within(std::chrono::milliseconds time) noexcept {
    zmq_pollitem_t item{stop_.handle(), 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, time.count()) != 0;
  }

  // Until it is to stop.
  void serve() {
    for (;;) {
      std::array<zmq_pollitem_t, 2> items = {zmq_pollitem_t{stop_.handle(), 0, ZMQ_POLLIN, 0},
                                             zmq_pollitem_t{gate_.handle(), 0, ZMQ_POLLIN, 0}};
      if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0 && zmq_errno() != EINTR) throw zmq::error_t();
      if (items[0].revents != 0) return;
      if (items[1].revents != 0) serve_one();
    }
  }

  void serve_one() {
    Request request;
    const bool whole = receive(gate_, request);
    const auto key = whole ? key_of(request) : std::nullopt;
    const bool yes = key && decide_(request[kDomain].to_string_view(), *key, request[kAddress].to_string_view());
    answer(gate_, request[kRequest], yes, yes ? key->text() : std::string_view());
  }

  zmq::context_t& context_;
  const Decide decide_;
  const Fault fault_;
  zmq::socket_t gate_;
  zmq::socket_t stop_;
  zmq::socket_t stopper_;
  std::thread thread_;
};

Gatekeeper::Gatekeeper(zmq::context_t& context, Decide decide, Fault fault) try
    : core_(std::make_unique<Core>(context, std::move(decide), std::move(fault))) {
} catch (const zmq::error_t& error) {
  throw SocketError(std::string("cannot watch the gate: ") + error.what());
}

Gatekeeper::~Gatekeeper() = default;

}  // namespace busbar::registry::net

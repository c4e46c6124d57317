#include "system/support/raw_member.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "unit/host/transport/link_testing.hpp"

namespace busbar::system_tests {

namespace wire = registry::wire;

namespace {

constexpr std::uint64_t kIncarnation = 7;

}  // namespace

// Where it is called.
class RawMember::Called : public host::ScriptedNode {
 public:
  explicit Called(const std::string& name)
      : ScriptedNode("tcp://127.0.0.1:*", [name](const ::busbar::wire::Envelope& said) {
          if (said.type != ::busbar::wire::EnvelopeType::hello) return std::vector<Frame>();
          return std::vector<Frame>{welcome(name, kIncarnation, "busbar")};
        }) {}
};

RawMember::RawMember(std::string name, const std::string& seed) : called_(std::make_unique<Called>(name)) {
  for (zmq::socket_t* socket : {&listening_, &dialled_}) socket->set(zmq::sockopt::linger, 0);
  listening_.bind("tcp://127.0.0.1:*");
  dialled_.connect(seed);
  record_.name = std::move(name);
  record_.incarnation = kIncarnation;
  record_.call_address = called_->address();
  record_.registry_address = listening_.get(zmq::sockopt::last_endpoint);
}

RawMember::~RawMember() = default;

void RawMember::hang_up() { called_->close(); }

wire::Welcome RawMember::hello(const std::vector<std::string>& services) {
  offer(services);
  wire::Hello hello;
  hello.cluster = "busbar";
  hello.record = record_;
  say(hello);
  return next<wire::Welcome>(dialled_, false);
}

wire::HeartbeatAck RawMember::heartbeat(std::uint64_t version) {
  say(wire::Heartbeat{record_.name, record_.incarnation, version, 1});
  return next<wire::HeartbeatAck>(dialled_, false);
}

void RawMember::announce(const std::vector<std::string>& services) {
  offer(services);
  say(wire::Announce{record_});
}

void RawMember::offer(const std::vector<std::string>& services) {
  ++record_.version;
  record_.services.clear();
  for (const auto& service : services) {
    record_.services.emplace_back();
    record_.services.back().name = service;
    record_.services.back().router = "raw";
  }
}

void RawMember::say(const wire::Message& message) {
  dialled_.send(zmq::buffer(wire::encode(message)), zmq::send_flags::none);
}

void RawMember::answer(const wire::Message& message) {
  listening_.send(zmq::buffer(host_), zmq::send_flags::sndmore);
  listening_.send(zmq::buffer(wire::encode(message)), zmq::send_flags::none);
}

wire::Message RawMember::receive(zmq::socket_t& socket, bool is_router, std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  socket.set(zmq::sockopt::rcvtimeo, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  zmq::message_t from;
  zmq::message_t body;
  if ((is_router && !socket.recv(from)) || !socket.recv(body)) {
    throw std::runtime_error("the host has not said what node " + record_.name + " waits for");
  }
  if (is_router) host_ = from.to_string();
  return wire::decode({body.data<std::uint8_t>(), body.size()});
}

}  // namespace busbar::system_tests

#include "system/support/raw_member.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace busbar::system_tests {

namespace wire = registry::wire;

RawMember::RawMember(std::string name, const std::string& seed, std::string calls) {
  for (zmq::socket_t* socket : {&listening_, &dialled_}) socket->set(zmq::sockopt::linger, 0);
  listening_.bind("tcp://127.0.0.1:*");
  dialled_.connect(seed);
  record_.name = std::move(name);
  record_.incarnation = 7;
  record_.call_address = std::move(calls);
  record_.registry_address = listening_.get(zmq::sockopt::last_endpoint);
}

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

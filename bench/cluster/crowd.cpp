// Very many peers of one host, in one process. Each is a member of the cluster as that host sees it: it dials the
// host's registry and its calls, says hello and heartbeats there, is dialled by it in both, and answers. What a node
// would do beside that, know the other peers, none of them does: the one host alone has many.
#include <busbar/wire/envelope.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/cluster.hpp"
#include "cluster/crowd_socket.hpp"
#include "remote/process.hpp"
#include "wire/message.hpp"

namespace bench {

namespace {

namespace plane = busbar::registry::wire;
namespace wire = busbar::wire;
using Clock = std::chrono::steady_clock;

constexpr const char* kCluster = "busbar";
constexpr std::chrono::milliseconds kHeartbeat{1'000};
constexpr int kShares = 10;  // not all speak at the same moment: a tenth of them each tenth of the time

busbar::registry::NodeRecord record_of(int number, std::string call_address, std::string registry_address) {
  busbar::registry::NodeRecord record;
  record.name = "peer" + std::to_string(number);
  record.incarnation = 1;
  record.version = 1;
  record.call_address = std::move(call_address);
  record.registry_address = std::move(registry_address);
  record.services.emplace_back();
  record.services.back().name = "crowd";
  record.services.back().router = "crowd";
  return record;
}

// Hello or welcome on the call plane.
std::vector<std::uint8_t> greeting(wire::EnvelopeType type, const std::string& name) {
  wire::Envelope envelope;
  envelope.type = type;
  envelope.major = wire::kCallProtocolMajor;
  envelope.minor = wire::kCallProtocolMinor;
  envelope.cluster = kCluster;
  envelope.node = name;
  envelope.incarnation = 1;
  envelope.role = wire::Role::node;
  envelope.max_message = 1 << 26;
  busbar::cbor::ByteSink out;
  wire::write_envelope(out, envelope);
  return out.take();
}

class Crowd {
 public:
  Crowd(int count, const std::string& seed) {
    for (int i = 0; i < count; ++i) {
      Peer peer{record_of(i, called_.bind(), registry_.bind())};
      by_port_[port_of(peer.record.call_address)] = by_port_[port_of(peer.record.registry_address)] = peers_.size();
      by_name_[peer.record.name] = peers_.size();
      to_registry_.connect(seed, peer.record.name);
      peers_.push_back(std::move(peer));
    }
  }

  [[noreturn]] void run() {
    Clock::time_point next = Clock::now();
    for (std::size_t turn = 0;;) {
      std::vector<zmq::pollitem_t> polled{to_registry_.to_poll(), registry_.to_poll(), to_calls_.to_poll(),
                                          called_.to_poll()};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
      zmq_poll(polled.data(), static_cast<int>(polled.size()), std::max<long>(left.count(), 0));
      while (to_registry_.receive()) hear_answer();
      while (registry_.receive()) answer();
      while (called_.receive()) greet_caller();
      while (to_calls_.receive()) continue;  // it is welcome
      if (Clock::now() < next) continue;
      for (std::size_t i = turn; i < peers_.size(); i += kShares) speak(peers_[i]);
      turn = (turn + 1) % kShares;
      next += kHeartbeat / kShares;
    }
  }

 private:
  struct Peer {
    busbar::registry::NodeRecord record;
    bool welcomed = false;
  };

  static plane::Message said(const CrowdSocket& socket) {
    return plane::decode({socket.body().data<std::uint8_t>(), socket.body().size()});
  }

  void speak(const Peer& peer) {
    const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
    const plane::Heartbeat heartbeat{peer.record.name, peer.record.incarnation, peer.record.version,
                                     static_cast<std::uint64_t>(now_us)};
    const plane::Message message = peer.welcomed ? plane::Message(heartbeat) : plane::Message(hello_of(peer));
    to_registry_.send(peer.record.name, plane::encode(message));
  }
  static plane::Hello hello_of(const Peer& peer) {
    plane::Hello hello;
    hello.cluster = kCluster;
    hello.record = peer.record;
    return hello;
  }

  // Nothing: the connection on which it came has ended meanwhile, and its descriptor tells no port any more.
  const Peer* called_at(int port) const {
    const auto found = by_port_.find(port);
    return found == by_port_.end() ? nullptr : &peers_[found->second];
  }

  void hear_answer() {
    Peer& peer = peers_[by_name_.at(to_registry_.from())];
    const plane::Message message = said(to_registry_);
    const auto* welcome = std::get_if<plane::Welcome>(&message);
    if (welcome == nullptr || std::exchange(peer.welcomed, true)) return;
    to_calls_.connect(welcome->record.call_address, peer.record.name);
    to_calls_.send(peer.record.name, greeting(wire::EnvelopeType::hello, peer.record.name));
  }

  void answer() {
    const Peer* peer = called_at(registry_.port());
    if (peer == nullptr) return;
    const plane::Message message = said(registry_);
    const auto say = [&](const plane::Message& answer) { registry_.send(registry_.from(), plane::encode(answer)); };
    if (std::holds_alternative<plane::Hello>(message)) say(plane::Welcome{.record = peer->record, .peers = {}});
    if (const auto* heartbeat = std::get_if<plane::Heartbeat>(&message)) {
      say(plane::HeartbeatAck{heartbeat->sent_us, false});
    }
    if (const auto* ping = std::get_if<plane::Ping>(&message)) {
      say(plane::Pong{ping->nonce, peer->record.name, peer->record.incarnation});
    }
  }

  void greet_caller() {
    wire::Bytes frame{called_.body().data<std::uint8_t>(), called_.body().size()};
    if (wire::read_envelope(frame).type != wire::EnvelopeType::hello) return;
    const Peer* peer = called_at(called_.port());
    if (peer != nullptr) called_.send(called_.from(), greeting(wire::EnvelopeType::welcome, peer->record.name));
  }

  zmq::context_t context_{1};
  CrowdSocket to_registry_{context_};  // by which the peers dial the host
  CrowdSocket to_calls_{context_};
  CrowdSocket registry_{context_};  // where the host dials them
  CrowdSocket called_{context_};
  std::vector<Peer> peers_;
  std::map<int, std::size_t> by_port_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace

void serve_crowd(int count, const std::string& seed) {
  Crowd crowd(count, seed);
  say_to_starter("there");
  crowd.run();
}

}  // namespace bench

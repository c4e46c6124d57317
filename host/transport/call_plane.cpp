#include "transport/call_plane.hpp"

#include <busbar/registry/net/capacity.hpp>
#include <busbar/registry/net/socket.hpp>

#include <new>
#include <utility>

#include "transport/call_peers.hpp"
#include "transport/call_server.hpp"

namespace busbar::host {

class CallPlane::Core {
 public:
  Core(CallPlaneOptions given, const Logger& log)
      : options(std::move(given)),
        context(registry::net::make_context(1, registry::net::sockets_for(options.max_peers))),
        server(context, options, log),
        peers(context, options, log) {}

  const CallPlaneOptions options;
  zmq::context_t context;
  CallServer server;
  CallPeers peers;
  bool stopped = false;
};

CallPlane::CallPlane(CallPlaneOptions options, Logger log) try
    : core_(std::make_unique<Core>(std::move(options), log)) {
} catch (const CallPlaneError&) {
  throw;
} catch (const std::exception& error) {
  throw CallPlaneError(error.what());
}

CallPlane::~CallPlane() { stop(); }

const std::string& CallPlane::address() const noexcept { return core_->server.address(); }
const std::string& CallPlane::bound_address() const noexcept { return core_->server.bound_address(); }

void CallPlane::start(PeerEvents& peers, RequestEvents& requests, Told told) {
  core_->peers.start(peers, std::move(told.routability_changed), &core_->server.nodes(), std::move(told.renewed));
  core_->server.start(requests,
                      {.left = [this] { core_->peers.ring(); },
                       .closes = [this](const NodeStart& node) { core_->peers.let_go(node); },
                       .own_key_changed = [this](auto own) { core_->peers.own_key_changed(std::move(own)); },
                       .key_proved = [this](const std::string& node,
                                            const keys::PublicKey& key) { core_->peers.key_proved(node, key); }});
}

std::shared_ptr<Peer> CallPlane::add(std::string name, std::uint64_t incarnation, std::string address) {
  return core_->peers.add(std::move(name), incarnation, std::move(address));
}

void CallPlane::drop(const std::shared_ptr<Peer>& peer, std::string_view reason) {
  core_->peers.drop(peer, reason);
  core_->server.drop(peer->name(), peer->incarnation(), std::string(reason));
}

void CallPlane::retire(const std::shared_ptr<Peer>& peer) { CallPeers::retire(peer); }

CallPlaneStats CallPlane::stats() const {
  CallPlaneStats stats;
  core_->server.fill(stats);
  core_->peers.fill(stats);
  return stats;
}

void CallPlane::add_stuck(std::vector<std::string_view>& threads) {
  if (!core_->server.turns()) threads.emplace_back("busbar-serve");
  if (!core_->peers.turns()) threads.emplace_back("busbar-peers");
}

bool CallPlane::wind_down(Nanos deadline) noexcept {
  try {
    return core_->server.nodes().wait_until_none_asks(core_->peers.say_closing(), deadline);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void CallPlane::stop(std::chrono::milliseconds linger) noexcept {
  if (std::exchange(core_->stopped, true)) return;
  core_->peers.stop();  // first: answers to forwarded calls leave there, and the end of our ROUTER ends those calls
  core_->server.stop(linger);
  core_->context.close();  // when the kernel has the last answers: whoever says goodbye after this says it after them
}

}  // namespace busbar::host

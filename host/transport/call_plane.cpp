#include "transport/call_plane.hpp"

#include <busbar/registry/net/socket.hpp>

#include <utility>

#include "transport/call_peers.hpp"
#include "transport/call_server.hpp"

namespace busbar::host {

namespace {

// One writes 64 small requests in one go; more would only help with CURVE.
constexpr int kIoThreads = 1;
// A peer takes three with its monitor. Descriptors run out first.
constexpr int kMaxSockets = 16 * 1024;

}  // namespace

class CallPlane::Core {
 public:
  Core(CallPlaneOptions options, const Logger& log)
      : options_(std::move(options)),
        context_(registry::net::make_context(kIoThreads, kMaxSockets)),
        server_(context_, options_, log),
        peers_(context_, options_, log) {}

  void stop(std::chrono::milliseconds linger) noexcept {
    server_.stop(linger);
    peers_.stop();
  }

  CallPlaneOptions options_;
  zmq::context_t context_;
  CallServer server_;
  CallPeers peers_;
};

CallPlane::CallPlane(CallPlaneOptions options, Logger log) {
  try {
    core_ = std::make_unique<Core>(std::move(options), log);
  } catch (const CallPlaneError&) {
    throw;
  } catch (const std::exception& error) {
    throw CallPlaneError(std::string("cannot open the call plane: ") + error.what());
  }
}

CallPlane::~CallPlane() { stop(); }

const std::string& CallPlane::address() const noexcept { return core_->server_.address(); }

void CallPlane::start(PeerEvents& peers, RequestEvents& requests, std::function<void()> routability_changed) {
  core_->peers_.start(peers, std::move(routability_changed));
  core_->server_.start(requests);
}

std::shared_ptr<Peer> CallPlane::add(std::string name, std::uint64_t incarnation, std::string address) {
  return core_->peers_.add(std::move(name), incarnation, std::move(address));
}

void CallPlane::drop(const std::shared_ptr<Peer>& peer, std::string_view reason) { core_->peers_.drop(peer, reason); }

CallPlaneStats CallPlane::stats() const {
  CallPlaneStats stats;
  core_->server_.fill(stats);
  core_->peers_.fill(stats);
  return stats;
}

void CallPlane::stop(std::chrono::milliseconds linger) noexcept { core_->stop(linger); }

}  // namespace busbar::host

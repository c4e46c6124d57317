// Several nodes in one process, each connected with each, without sockets.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/hub.hpp"
#include "support/lane.hpp"

namespace busbar::testing {

/// Another node as its callers have it. Sends into a lane; who waits sleeps on its waiter.
class LinkedPeer final : public host::Peer {
 public:
  LinkedPeer(std::string name, std::uint64_t incarnation, Lane& requests)
      : Peer(std::move(name), incarnation), requests_(requests) {}

  host::Sent post(std::span<const std::uint8_t> envelope, bool is_request) noexcept override {
    const host::Sent sent = requests_.push(envelope);
    if (sent == host::Sent::kYes && is_request) ++posted_, ++requested_;
    return sent;
  }
  void ended() noexcept override { ++ended_; }
  host::Sent send(std::span<const std::uint8_t> envelope, host::Seat&) noexcept override {
    const host::Sent sent = requests_.push(envelope);
    if (sent == host::Sent::kYes) ++requested_;
    return sent;
  }
  void wait(host::Seat& seat, host::Nanos deadline) noexcept override { seat.waiter.wait_asleep(deadline); }
  void ring() noexcept override {}

  void routable_is(bool routable) noexcept { set_routable(routable); }
  /// Of what `post` accepted: how many requests have not ended.
  std::int64_t under_way() const noexcept { return posted_ - ended_; }
  /// How many requests it has accepted, of callers that wait and of others.
  std::uint64_t requested() const noexcept { return requested_; }

 private:
  Lane& requests_;
  std::atomic<std::int64_t> posted_{0}, ended_{0};
  std::atomic<std::uint64_t> requested_{0};
};

/// A node as those have it whom it asks; for one connection.
class LinkedRequester final : public host::Requester {
 public:
  LinkedRequester(std::string name, Lane& answers) : name_(std::move(name)), answers_(answers) {}

  host::Sent answer(std::span<const std::uint8_t> envelope, bool) noexcept override {
    return gone_ ? host::Sent::kDown : answers_.push(envelope);
  }
  bool gone() const noexcept override { return gone_; }
  wire::Role role() const noexcept override { return wire::Role::node; }
  const std::string& name() const noexcept override { return name_; }
  std::uint64_t incarnation() const noexcept override { return 1; }

  void leave() noexcept { gone_ = true; }

 private:
  const std::string name_;
  Lane& answers_;
  std::atomic<bool> gone_{false};
};

/// The connection that one node has made to another: its requests go there, their answers come back.
class Link {
 public:
  Link(Hub& from, Hub& to)
      : from_(from),
        to_(to),
        answers([this](const wire::Envelope& e) { from_.dispatcher().on_envelope(*peer_, e, host::now_ns()); }),
        requests([this](const wire::Envelope& e) { to_.dispatcher().on_request(requester(), e); }),
        peer_(std::make_shared<LinkedPeer>(to.node(), 1, requests)) {
    connect();
  }

  const std::shared_ptr<LinkedPeer>& peer() const { return peer_; }
  std::shared_ptr<LinkedRequester> requester() const {
    const std::lock_guard lock(mutex_);
    return requester_;
  }

  /// The connection is lost, and both ends are told. One at a time.
  void cut(const std::string& reason = "cut by the test") {
    answers.cut();
    requests.cut();
    peer_->routable_is(false);
    from_.registry().refresh();
    const auto gone = requester();
    gone->leave();
    from_.dispatcher().on_down(*peer_, reason);
    to_.dispatcher().on_gone(*gone);
  }
  void restore() {
    connect();
    answers.restore();
    requests.restore();
    from_.registry().refresh();
  }
  void stop() {
    answers.stop();
    requests.stop();
  }

 private:
  void connect() {
    {
      const std::lock_guard lock(mutex_);
      requester_ = std::make_shared<LinkedRequester>(from_.node(), answers);
    }
    peer_->routable_is(true);
  }

  Hub& from_;
  Hub& to_;
  mutable std::mutex mutex_;
  std::shared_ptr<LinkedRequester> requester_;

 public:
  Lane answers;
  Lane requests;

 private:
  const std::shared_ptr<LinkedPeer> peer_;
};

class LinkedHubs {
 public:
  explicit LinkedHubs(const std::vector<std::string>& nodes, const host::PoolOptions& pool = Hub::small_pool()) {
    for (const auto& node : nodes) hubs_[node] = std::make_unique<Hub>(pool, node);
    for (const auto& [from, hub] : hubs_) {
      for (const auto& [to, other] : hubs_) {
        if (from != to) links_[{from, to}] = std::make_unique<Link>(*hub, *other);
      }
    }
    for (const auto& node : nodes) announce(node);
  }
  ~LinkedHubs() {
    for (auto& [ends, link] : links_) link->cut("the test is over");
    for (auto& [ends, link] : links_) link->stop();
    hubs_.clear();
  }

  Hub& operator[](const std::string& node) { return *hubs_.at(node); }
  Link& link(const std::string& from, const std::string& to) { return *links_.at({from, to}); }

  /// Adds a router to a node, whose new record the others then have.
  host::Instance& add(const std::string& node, Script script, const std::string& plugin = "p") {
    host::Instance& instance = (*this)[node].add(plugin, std::move(script));
    announce(node);
    return instance;
  }
  void announce(const std::string& node) {
    for (auto& [ends, link] : links_) {
      if (ends.second == node) {
        hubs_.at(ends.first)->registry().put_node(link->peer(), hubs_.at(node)->registry().local_record());
      }
    }
  }
  /// A node dies: all its connections are lost.
  void kill(const std::string& node) {
    for (auto& [ends, link] : links_) {
      if (ends.first == node || ends.second == node) link->cut("killed");
    }
  }

  /// Waits until nothing is under way anywhere: no call inside a router, none that a peer counts.
  bool quiet() {
    return eventually([this] {
      for (auto& [node, hub] : hubs_) {
        if (!hub->is_quiet()) return false;
      }
      for (auto& [ends, link] : links_) {
        if (link->peer()->under_way() != 0) return false;
      }
      return true;
    });
  }

 private:
  std::map<std::string, std::unique_ptr<Hub>> hubs_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Link>> links_;  // outlive what the hubs still hold
};

}  // namespace busbar::testing

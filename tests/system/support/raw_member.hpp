// A node of the cluster as others see it, which says on the registry's plane what a test wants, and nothing by itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <variant>
#include <vector>
#include <zmq.hpp>

#include "system/support/process.hpp"
#include "wire/message.hpp"

namespace busbar::system_tests {

/// Ownership: both of its connections to one host, the one that it dials and the one on which it is dialled, and where
/// it is called: there it welcomes everybody, and answers nothing. All end with it, without a goodbye. Threads: one.
/// Errors: zmq::error_t; std::runtime_error where a message does not come.
class RawMember {
 public:
  /// Dials `seed`, a host's registry.
  RawMember(std::string name, const std::string& seed);
  ~RawMember();
  RawMember(const RawMember&) = delete;
  RawMember& operator=(const RawMember&) = delete;

  /// From here on nobody listens where it is called.
  void hang_up();

  /// As it was last told by `hello` or `announce`; incarnation 7.
  const registry::NodeRecord& record() const { return record_; }

  // -- on the connection that it has dialled

  /// Says who it is; what it is answered. `services`: their names, in order.
  registry::wire::Welcome hello(const std::vector<std::string>& services = {});
  /// That it lives, and that its record has this version; what it is answered.
  registry::wire::HeartbeatAck heartbeat(std::uint64_t version);
  /// A later version of its record.
  void announce(const std::vector<std::string>& services);

  // -- on the connection on which the host has dialled it

  /// The next message of the kind; others are passed over.
  template <class Kind>
  Kind heard() {
    return next<Kind>(listening_, true);
  }
  /// To the host.
  void answer(const registry::wire::Message& message);

 private:
  class Called;
  void offer(const std::vector<std::string>& services);
  void say(const registry::wire::Message& message);
  registry::wire::Message receive(zmq::socket_t& socket, bool is_router, std::chrono::steady_clock::time_point until);
  template <class Kind>
  Kind next(zmq::socket_t& socket, bool is_router) {
    const auto until = std::chrono::steady_clock::now() + kLimit;
    for (;;) {
      auto message = receive(socket, is_router, until);
      if (auto* found = std::get_if<Kind>(&message)) return std::move(*found);
    }
  }

  registry::NodeRecord record_;
  std::unique_ptr<Called> called_;
  zmq::context_t context_{1};
  zmq::socket_t listening_{context_, zmq::socket_type::router};
  zmq::socket_t dialled_{context_, zmq::socket_type::dealer};
  std::string host_;  // the routing id of who has dialled it
};

}  // namespace busbar::system_tests

// What the admin socket can be asked, without the socket.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_server.hpp"

namespace busbar::host {

/// A request that cannot be served, as its answer says it.
class BadRequest : public std::runtime_error {
 public:
  BadRequest(std::string_view error_code, std::uint64_t seq, const std::string& text)
      : std::runtime_error(text), code_(error_code), seq_(seq) {}
  std::string_view code() const noexcept { return code_; }
  std::uint64_t seq() const noexcept { return seq_; }

 private:
  const std::string_view code_;  // one of the constants
  const std::uint64_t seq_;
};

/// Who asks, and therefore what is told.
enum class Audience {
  here,     ///< the admin socket: everything
  clients,  ///< over the call plane: verbs for callers, public services; other nodes are asked where that is needed
  nodes,    ///< the same, and no other node is asked, for this one is being asked by one
};

/// A request out of a frame (behind its length), with everything in it checked. Errors: BadRequest.
wire::AdminRequest read_request(std::span<const std::uint8_t> frame);

/// The frame that says that a request cannot be served.
std::vector<std::uint8_t> error_frame(std::uint64_t seq, std::string_view code, std::string_view text);

/// Serves requests. Threads: any. Ownership: as AdminServer says.
class AdminVerbs {
 public:
  /// Takes the answer, as a frame. Once, on any thread, possibly before `serve` has returned; must not throw.
  using Answer = std::function<void(std::vector<std::uint8_t> frame)>;

  AdminVerbs(Dispatcher& dispatcher, AdminHooks hooks) : dispatcher_(dispatcher), hooks_(std::move(hooks)) {}

  /// Whether a verb waits for the host's first scan.
  static bool waits_for_host(std::string_view verb) {
    return verb != wire::admin_verb::kStatus && verb != wire::admin_verb::kConfig;
  }

  /// Does what a checked request asks. Returns the call that can be given up, where there is one.
  PendingCall serve(const wire::AdminRequest& request, Answer answer, Audience audience = Audience::here);

  const AdminHooks& hooks() const noexcept { return hooks_; }

 private:
  PendingCall call(const wire::AdminRequest& request, Answer answer);
  void authorized(const wire::AdminRequest& request, Answer answer);
  nlohmann::json discover(const wire::AdminRequest& request, Audience audience) const;
  void describe(const wire::AdminRequest& request, Answer answer, Audience audience);
  std::optional<nlohmann::json> describe_here(const wire::AdminRequest& request, Audience audience) const;
  void trail(const wire::AdminRequest& request, Answer answer, Audience audience);
  void views(const wire::AdminRequest& request, Answer answer, Audience audience);
  nlohmann::json events(const wire::AdminRequest& request) const;
  void rescan(std::uint64_t seq, Answer answer);
  void order(const wire::AdminRequest& request, Answer answer);
  std::vector<std::uint8_t> log_level(const wire::AdminRequest& request) const;

  Message message_of(const wire::AdminRequest& request) const;

  Dispatcher& dispatcher_;
  const AdminHooks hooks_;
};

}  // namespace busbar::host

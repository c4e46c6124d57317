// What a caller may say beside the message.
#pragma once

#include <busbar/limits.hpp>
#include <busbar/text.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

#include "dispatch/peer.hpp"
#include "dispatch/reachable.hpp"
#include "dispatch/strategy.hpp"

namespace busbar::host {

struct DispatchOptions {
  /// The budget of the whole call in milliseconds, 1 to 86,400,000; 0: the service's own, else 5,000 (C-D5). What the
  /// message's deadline or the call around it leaves is not exceeded (C-D8).
  std::uint32_t timeout_ms = 0;
  /// Only this node may serve it, also where a private service here has that name; nobody of that name, or no
  /// connection: badrpc(nodedown). Empty: any (C-D2).
  std::string_view node = {};
  /// What is private here is there for callers of this node only (C-R1).
  CallerIs caller = CallerIs::here;
  /// Which of several remote providers (C-D3).
  Preference prefer = {};
  /// Whose call it is, where that is not this node's own (C-R8); null: this node's.
  std::shared_ptr<const Requester> client = nullptr;

  /// Whether it says anything that counts again when the call goes on to another provider.
  bool has_wishes() const noexcept {
    return !node.empty() || caller != CallerIs::here || prefer.strategy != Strategy::standard || client != nullptr;
  }
};

/// What of it counts again when the call goes on to another provider. Most callers wish nothing.
/// Ownership: its texts are borrowed for a caller that waits, else copied.
class Wishes {
 public:
  Wishes() = default;
  static Wishes borrow(const DispatchOptions& options) noexcept {
    return Wishes(options, Text::borrow(options.node), Text::borrow(options.prefer.sticky_key));
  }
  /// Errors: std::bad_alloc.
  static Wishes copy(const DispatchOptions& options) {
    return Wishes(options, Text(options.node), Text(options.prefer.sticky_key));
  }
  /// From here on that node alone.
  void only_at(Text&& node) noexcept {
    node_ = std::move(node);
    any_ = true;
  }

  bool any() const noexcept { return any_; }
  std::string_view node() const noexcept { return node_.view(); }
  const Requester* client() const noexcept { return client_.get(); }
  DispatchOptions options() const noexcept { return {0, node(), caller_, {strategy_, sticky_key_.view()}, client_}; }

 private:
  Wishes(const DispatchOptions& options, Text node, Text sticky_key) noexcept
      : any_(options.has_wishes()),
        caller_(options.caller),
        strategy_(options.prefer.strategy),
        node_(std::move(node)),
        sticky_key_(std::move(sticky_key)),
        client_(options.client) {}

  bool any_ = false;
  CallerIs caller_ = CallerIs::here;
  Strategy strategy_ = Strategy::standard;
  Text node_;
  Text sticky_key_;
  std::shared_ptr<const Requester> client_;
};

}  // namespace busbar::host

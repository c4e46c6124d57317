// Where a host answers what other nodes and clients ask about it, over the call plane.
#pragma once

#include <busbar/wire/admin.hpp>

#include <cstdint>
#include <memory>

#include "admin/admin_verbs.hpp"
#include "dispatch/peer.hpp"

namespace busbar::host {

/// Ownership: as AdminServer says of dispatcher and hooks. Threads: any.
class QueryServer {
 public:
  QueryServer(Dispatcher& dispatcher, AdminHooks hooks) : verbs_(dispatcher, std::move(hooks)) {}

  /// Answers a query: `body` is an AdminRequest, the `document` envelope's body is an AdminAnswer. Verbs that change or
  /// inspect the host, and whatever cannot be read, are answered with an error in words.
  void serve(const std::shared_ptr<Requester>& from, std::uint64_t attempt, wire::Bytes body) noexcept;

 private:
  AdminVerbs verbs_;
};

}  // namespace busbar::host

// One connection of the ROUTER after its handshake.
#pragma once

#include <busbar/keys/key_file.hpp>
#include <busbar/thread_safety.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "dispatch/peer.hpp"
#include "transport/answer_frames.hpp"

namespace busbar::host {

class SharedRouter;

/// Who is at its other end.
struct ConnectionIdentity {
  std::string routing_id;  ///< the ROUTER's name for it
  int descriptor = -1;     ///< of its socket; -1: not known
  std::string name;
  std::string place{};  ///< its address, with the name, for people
  wire::Role role = wire::Role::client;
  std::uint64_t incarnation = 0;
  std::size_t max_message = 0;             ///< of a frame that it accepts
  std::optional<keys::ListedKey> proof{};  ///< the key that it has proved, and whose that is; nothing: without keys
};

/// Ownership: shared by the table of connections, by whoever is to answer, and by what waits in ZeroMQ.
/// Threads: any, where nothing else is said.
class Connection final : public Requester, public std::enable_shared_from_this<Connection> {
 public:
  /// `most_waiting`: bytes that may wait to be sent, those included that ZeroMQ holds in large frames.
  Connection(ConnectionIdentity identity, std::shared_ptr<SharedRouter> router, std::size_t most_waiting);

  Sent answer(std::span<const std::uint8_t> envelope, bool more_follow) noexcept override;
  bool gone() const noexcept override { return gone_.load(std::memory_order_acquire); }
  wire::Role role() const noexcept override { return identity_.role; }
  const std::string& name() const noexcept override { return identity_.name; }
  std::uint64_t incarnation() const noexcept override { return identity_.incarnation; }

  const keys::Identity* owner() const noexcept override { return identity_.proof ? &identity_.proof->owner : nullptr; }

  const keys::PublicKey* key() const noexcept { return identity_.proof ? &identity_.proof->key : nullptr; }
  const std::string& place() const noexcept { return identity_.place; }
  const std::string& routing_id() const noexcept { return identity_.routing_id; }
  int descriptor() const noexcept { return identity_.descriptor; }

  /// From here on nobody is there. Returns how many answers were still waiting.
  std::size_t end() noexcept;

  // For SharedRouter, which sends.
  std::vector<AnswerFrame> take(std::vector<AnswerFrame> empty) noexcept;
  /// Returns false where they are dropped, because the connection is gone or there is no memory.
  bool put_back(std::vector<AnswerFrame>& taken, std::size_t first) noexcept;
  void sent(std::size_t bytes) noexcept { waiting_.fetch_sub(bytes, std::memory_order_relaxed); }

  bool listed = false;       ///< it is in the list of those with something to send; guarded by that list's mutex
  bool blocked = false;      ///< ZeroMQ took nothing more for it; guarded by the socket's mutex
  bool warned = false;       ///< it was told that it sends malformed frames; the serving thread's
  bool asks = true;          ///< it has not said that it asks nothing more; the serving thread's
  bool from_before = false;  ///< it stands since this node had another key; the serving thread's
  bool ended = false;        ///< `on_gone` was called for it; the serving thread's

 private:
  Sent put(std::span<const std::uint8_t> envelope) noexcept;

  const ConnectionIdentity identity_;
  const std::shared_ptr<SharedRouter> router_;
  const std::size_t most_waiting_;
  std::atomic<std::size_t> waiting_{0};  // bytes
  std::atomic<bool> gone_{false};        // written with the mutex held

  Mutex mutex_;
  AnswerFrames frames_ BUSBAR_GUARDED_BY(mutex_);
};

}  // namespace busbar::host

// A peer: another node, and the one DEALER to it that whoever has time works.
#pragma once

#include <busbar/thread_safety.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "dispatch/peer.hpp"
#include "log/log.hpp"
#include "pool/yield_guard.hpp"
#include "transport/bell.hpp"
#include "transport/outbox.hpp"

namespace busbar::host {

// What the links of a call plane have in common. Ownership: shared, because peers may outlive the plane.
struct LinkShared {
  explicit LinkShared(Logger for_links) : log(std::move(for_links)) {}
  const Logger log;
  PeerEvents* events = nullptr;  // set before the first link comes up, used while one is up or worked
  Bell bell;                     // of the thread "busbar-peers"
  std::atomic<std::uint64_t> malformed{0};
};

// At any moment at most one thread is the *driver* of the socket, and nobody else touches it: a caller that blocks for
// its answer, or the thread "busbar-peers", or nobody, where nothing is under way. The right passes under the mutex,
// which is held for moments only. Everybody else leaves envelopes in the outbox and rings the driver's bell.
//
// - A caller that finds nobody driving drives: it sends its request at once and reads until its own answer is there,
//   handing out whatever else comes. Callers that come meanwhile follow: they sleep until they are answered.
// - A driver that leaves passes the driving on (pass_on): to the peers' thread while posted requests are under way,
// else
//   to a follower whose answer is not there yet, else to nobody. Whoever was given it passes it on too, on every way
//   out, also when its own answer has come meanwhile: otherwise all hang.
// - A link goes up and down, and gets and loses its socket, on the peers' thread (LinkKeeper). It takes the socket away
//   only when no caller drives.
// Threads: any for what Peer has; the rest by the peers' thread, unless it says otherwise.
class Link final : public Peer {
 public:
  struct Limits {
    std::size_t max_message;  // of ours; the other side's may be smaller
    std::size_t queue;        // bytes that wait to be sent
  };

  Link(std::string name, std::uint64_t incarnation, std::string address, Limits limits,
       std::shared_ptr<LinkShared> shared);
  ~Link() override;

  Sent post(std::span<const std::uint8_t> envelope, bool is_request) noexcept override;
  void ended() noexcept override { under_way_.fetch_sub(1, std::memory_order_relaxed); }
  Sent send(std::span<const std::uint8_t> envelope, Seat& seat) noexcept override;
  void wait(Seat& seat, Nanos deadline) noexcept override;
  void ring() noexcept override;

  bool over() const noexcept override { return over_.load(std::memory_order_seq_cst); }

  const std::string& address() const noexcept { return address_; }

  // The other node wants to be asked nothing more: no request is taken from here on, and the keeper is to say so there
  // when nothing is waited for any more. Any thread.
  void let_go() noexcept;
  bool let_go_of() const noexcept { return let_go_.load(std::memory_order_relaxed); }
  // Says, behind all that was taken, that no request follows; none is taken from here on. False: there is no connection
  // on which the other side would understand it. Any thread.
  bool say_closing() noexcept;

  // Another link has taken its place, and nobody finds this one any more: the keeper is to close it when nothing is
  // waited for from there. Who has found it before may still use it. Any thread.
  void retire() noexcept;
  bool retiring() const noexcept { return retiring_.load(std::memory_order_relaxed); }

  // No envelope is taken any more, and the keeper is to close it. Any thread.
  void drop(std::string_view reason) noexcept;
  // Whether the keeper has to look at dropped() and broken().
  bool needs_keeper() const noexcept { return needs_keeper_.load(std::memory_order_relaxed); }
  // Why it was dropped, or that it was not.
  std::optional<std::string> dropped() const;
  // What was wrong with what came, or why the other side ended the connection, in its words.
  std::optional<std::string> broken() const;

  // The connection stands and both sides have said who they are: envelopes are taken from here on.
  void go_up(zmq::socket_t socket, const wire::Envelope& welcome) noexcept;
  // The connection is gone: no envelope is taken from here on, what waits to be sent is forgotten, and whoever drives
  // is told to stop.
  void go_down() noexcept;
  // What the other side had sent has been read, or is given up: nobody is answered from there any more.
  void end() noexcept { over_.store(true, std::memory_order_seq_cst); }
  // Takes in what the other side had sent before the link went down. Returns false where that is not done yet: a caller
  // is still inside the socket, or there was more than could be read until then.
  bool read_rest(Nanos until) noexcept;
  // The socket of a link that is down, as soon as no caller is inside it.
  std::optional<zmq::socket_t> release() noexcept;

  // Whether the peers' thread is the driver: then descriptor() is to be polled, and work() called.
  bool worked_by_peers() const noexcept { return driver_.load(std::memory_order_relaxed) == Driver::peers; }
  // Sends and receives what there is, and gives the driving up when nothing is under way. Returns whether there is more
  // to do at once.
  bool work() noexcept;
  // Where nobody drives, late answers may have come: has work() read them.
  void take_parked() noexcept;
  int descriptor() const noexcept { return descriptor_; }
  // How many posted requests have not ended.
  std::uint64_t under_way() const noexcept { return under_way_.load(std::memory_order_relaxed); }

 private:
  enum class Driver : std::uint8_t { nobody, caller, peers };
  enum class Received : std::uint8_t { all, more };

  // For any thread.
  Sent prepare(std::span<const std::uint8_t> envelope, bool is_request, std::optional<LargeEnvelope>& large) noexcept
      BUSBAR_EXCLUDES(mutex_);
  Sent refusal(std::size_t size, bool is_request) const BUSBAR_REQUIRES(mutex_);
  Bell* driver_bell() noexcept BUSBAR_REQUIRES(mutex_);
  Sent append(std::span<const std::uint8_t> envelope, std::optional<LargeEnvelope>& large) noexcept
      BUSBAR_REQUIRES(mutex_);
  void list(Seat& seat) noexcept BUSBAR_REQUIRES(mutex_);
  void unlist(Seat& seat) noexcept BUSBAR_REQUIRES(mutex_);

  // For the driver.
  Sent send_at_once(std::span<const std::uint8_t> envelope, std::optional<LargeEnvelope>& large, Seat& seat) noexcept;
  void flush() noexcept;
  void send_all() noexcept;
  Received receive(const Waiter* own) noexcept;
  void take_frame() noexcept;
  void take_envelope(const wire::Envelope& envelope, Nanos now) noexcept;
  void malformed(std::string_view what) noexcept;
  void report_broken(std::string_view what) noexcept BUSBAR_EXCLUDES(mutex_);
  bool socket_is_ready() noexcept;
  Bell* pass_on(const FutexWord*& sleeper) noexcept BUSBAR_REQUIRES(mutex_);

  // For a caller.
  void drive(Seat& seat, Nanos deadline) noexcept;
  void yield_for_a_while(const Waiter& own) noexcept;
  void leave(Seat& seat) noexcept;

  const std::string address_;
  const Limits limits_;
  const std::shared_ptr<LinkShared> shared_;
  const LargeEnvelope::Held large_held_ = std::make_shared<std::atomic<std::size_t>>(0);

  Bell bell_;                                 // of a caller that drives
  YieldGuard yields_;                         // of a caller that drives
  YieldGuard follower_yields_{kMillisecond};  // while one follower yields, all of them may have a turn
  std::atomic<std::uint64_t> under_way_{0};   // posted requests that have not ended
  std::atomic<std::size_t> in_hand_{0};       // bytes of small envelopes that the driver has taken out and not sent
  std::atomic<bool> needs_keeper_{false};
  std::atomic<bool> over_{true};
  std::atomic<bool> let_go_{false};
  std::atomic<bool> retiring_{false};

  mutable Mutex mutex_;
  // Written with the mutex held. Routability too: `routable()` means up.
  std::atomic<Driver> driver_{Driver::nobody};
  std::atomic<std::size_t> max_message_;
  Outbox outbox_ BUSBAR_GUARDED_BY(mutex_);
  Seat* first_ BUSBAR_GUARDED_BY(mutex_) = nullptr;  // the followers, oldest first
  Seat* last_ BUSBAR_GUARDED_BY(mutex_) = nullptr;
  std::optional<std::string> broken_ BUSBAR_GUARDED_BY(mutex_);
  std::optional<std::string> dropped_ BUSBAR_GUARDED_BY(mutex_);
  bool asks_ BUSBAR_GUARDED_BY(mutex_) = true;  // requests are taken
  bool knows_closing_ BUSBAR_GUARDED_BY(mutex_) = false;

  // The driver's; the keeper's while the link is down.
  zmq::socket_t socket_;
  int descriptor_ = -1;
  Outbox sending_;
  zmq::message_t incoming_;
  bool lone_ = false;  // at the last flush nobody else waited here
};

}  // namespace busbar::host

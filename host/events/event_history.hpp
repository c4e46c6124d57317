// The last events of a host, for `busbar events`.
#pragma once

#include <busbar/wire/event_names.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "events/events.hpp"
#include "pool/clock.hpp"

namespace busbar::host {

/// An event that was kept. What does not apply is empty.
struct KeptEvent {
  EventKind kind{};
  bool is_public = true;
  std::uint64_t at_ticks = 0;     ///< what orders them
  std::uint64_t begun_ticks = 0;  ///< since when `duration` counts; 0: it has none
  Nanos at = 0;                   ///< nanoseconds since 1970, UTC
  Nanos duration = 0;             ///< 0: it has none
  Response::Kind response{};
  std::string service, message_id, correlation_id, node, plugin, origin, reason, file, code;
};

/// Keeps the last events, and costs who emits them as little as it can: each thread writes them, one after the other
/// and without a lock, into a block of its own (docs/decisions/0014). Threads: any. Errors: without memory for a block
/// events are lost; readers are told how many they missed.
class EventHistory final : public Observer {
 public:
  static constexpr std::size_t kShown = wire::kMostEventsTold;
  static constexpr std::size_t kLongestText = 1'000;  ///< bytes of a reason or a file's name; what is longer is cut

  /// How far a reader has come: how many events it has seen of each block, and has seen or missed in all.
  struct Cursor {
    struct Seen {
      std::uint64_t block = 0;
      std::uint64_t events = 0;
    };
    std::vector<Seen> blocks;
    std::uint64_t total = 0;
  };
  struct Page {
    std::vector<KeptEvent> events;  ///< oldest first
    std::uint64_t missed = 0;       ///< how many between `after` and these are kept no more
    Cursor next;                    ///< what to read after
  };

  EventHistory();
  ~EventHistory() override;

  void on_event(const Event& event) noexcept override;
  bool takes_whole_calls() const noexcept override { return true; }
  void on_whole_call(const WholeCall& call) noexcept override;

  /// The last `kShown` events; with `after` the last `kShown` of those that came since. What one event has caused is
  /// never shown without it, or before it. The times of a page are in its order; those of an event, read again, may
  /// differ a little: they are told from the clock as it is now. With a cursor that was made up it gives nothing worse
  /// than other events.
  Page read(const Cursor* after = nullptr) const;

 private:
  class Shelf;
  class Writer;

  const std::shared_ptr<Shelf> shelf_;  // shared with the threads that have a block of it
};

}  // namespace busbar::host

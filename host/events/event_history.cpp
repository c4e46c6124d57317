#include "events/event_history.hpp"

#include <busbar/thread_safety.hpp>

#include <time.h>

#include <algorithm>
#include <deque>
#include <new>
#include <unordered_map>
#include <utility>

#include "events/event_block.hpp"

namespace busbar::host {

namespace {

// Beyond what is shown, because threads do not fill their blocks at one pace: a slow one's full block has old events.
constexpr std::size_t kKept = 2 * EventHistory::kShown;
// Threads that end early leave blocks with little in them.
constexpr std::size_t kFullBlocks = 128;

// What ticks are in time. All events of a page are told by one, so their times are in the order of their ticks.
class TickClock {
 public:
  TickClock() noexcept : nanos_per_tick_(nanos_per_tick()) {
    auto shortest = ~std::uint64_t{0};
    for (int i = 0; i < 3; ++i) {  // whoever is interrupted between the two readings shows a wrong time
      const std::uint64_t begun = ticks();
      timespec now{};
      ::clock_gettime(CLOCK_REALTIME, &now);
      const std::uint64_t took = ticks() - begun;
      if (took >= shortest) continue;
      shortest = took;
      at_ticks_ = begun;
      at_ = now.tv_sec * kSecond + now.tv_nsec;
    }
  }

  std::uint64_t ticks_now() const noexcept { return at_ticks_; }

  /// Fills in the time and the duration.
  void tell(KeptEvent& event) const noexcept {
    event.at = at_ + nanos_of(event.at_ticks - at_ticks_);
    if (event.begun_ticks != 0) event.duration = std::max<Nanos>(nanos_of(event.at_ticks - event.begun_ticks), 1);
  }

 private:
  Nanos nanos_of(std::uint64_t passed) const noexcept {  // may be below zero
    return static_cast<Nanos>(static_cast<double>(static_cast<std::int64_t>(passed)) * nanos_per_tick_);
  }

  const double nanos_per_tick_;
  std::uint64_t at_ticks_ = 0;
  Nanos at_ = 0;
};

}  // namespace

// All blocks: those that threads write to, and of those that are full, or whose thread has ended, the last
// `kFullBlocks` at most, as far as they are needed for the last `kKept` events.
class EventHistory::Shelf {
 public:
  /// A block to write to. Errors: std::bad_alloc.
  std::shared_ptr<EventBlock> begin() {
    const MutexLock lock(mutex_);
    auto block = std::make_shared<EventBlock>(++begun_);
    written_.emplace(block->serial(), block);
    return block;
  }

  /// Nothing more is written to it. Without memory it is forgotten.
  void end(const std::shared_ptr<EventBlock>& block) noexcept {
    const MutexLock lock(mutex_);
    const auto found = written_.find(block->serial());
    try {
      full_.push_back(block);
      full_events_ += block->events();
    } catch (const std::bad_alloc&) {
      gone_ += block->events();
    }
    written_.erase(found);
    while (!full_.empty() && (full_.size() > kFullBlocks || full_events_ - full_.front()->events() >= kKept)) {
      full_events_ -= full_.front()->events();
      gone_ += full_.front()->events();
      full_.pop_front();
    }
  }

  void lose_one() noexcept {
    const MutexLock lock(mutex_);
    ++gone_;
  }

  struct Contents {
    std::vector<std::shared_ptr<EventBlock>> blocks;
    std::uint64_t gone = 0;  // events that are in none of them
  };
  Contents contents() const {
    const MutexLock lock(mutex_);
    Contents all;
    all.blocks.reserve(full_.size() + written_.size());
    all.blocks.assign(full_.begin(), full_.end());
    for (const auto& [serial, block] : written_) all.blocks.push_back(block);
    all.gone = gone_;
    return all;
  }

 private:
  mutable Mutex mutex_;  // of a thread for every block, not for every event; and of readers
  std::unordered_map<std::uint64_t, std::shared_ptr<EventBlock>> written_ BUSBAR_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<EventBlock>> full_ BUSBAR_GUARDED_BY(mutex_);
  std::uint64_t full_events_ BUSBAR_GUARDED_BY(mutex_) = 0;
  std::uint64_t gone_ BUSBAR_GUARDED_BY(mutex_) = 0;
  std::uint64_t begun_ BUSBAR_GUARDED_BY(mutex_) = 0;
};

// A thread's block.
class EventHistory::Writer {
 public:
  /// This thread's, or null: it is about to end.
  static Writer* mine() noexcept {
    if (mine_ == nullptr && !ended_) {
      static thread_local Writer writer;
      mine_ = &writer;
    }
    return mine_;
  }
  ~Writer() {
    leave();
    mine_ = nullptr;
    ended_ = true;
  }

  /// False: there is no memory.
  template <class Told>
  bool write(const std::shared_ptr<Shelf>& shelf, const Told& told) noexcept try {
    if (shelf_ != shelf) {  // for tests: a process has one
      leave();
      shelf_ = shelf;
    }
    if (block_ && block_->append(told)) [[likely]]
      return true;
    end_block();
    block_ = shelf_->begin();
    return block_->append(told);
  } catch (const std::bad_alloc&) {
    return false;
  }

 private:
  void end_block() noexcept {
    if (block_) shelf_->end(block_);
    block_.reset();
  }
  void leave() noexcept {
    end_block();
    shelf_.reset();
  }

  static thread_local constinit Writer* mine_;
  static thread_local constinit bool ended_;

  std::shared_ptr<Shelf> shelf_;
  std::shared_ptr<EventBlock> block_;
};

thread_local constinit EventHistory::Writer* EventHistory::Writer::mine_ = nullptr;
thread_local constinit bool EventHistory::Writer::ended_ = false;

EventHistory::EventHistory() : shelf_(std::make_shared<Shelf>()) {}

EventHistory::~EventHistory() = default;

void EventHistory::on_event(const Event& event) noexcept {
  Writer* const writer = Writer::mine();
  if (writer == nullptr || !writer->write(shelf_, event)) shelf_->lose_one();
}

void EventHistory::on_whole_call(const WholeCall& call) noexcept {
  Writer* const writer = Writer::mine();
  if (writer == nullptr || !writer->write(shelf_, call)) shelf_->lose_one();
}

EventHistory::Page EventHistory::read(const Cursor* after) const {
  std::unordered_map<std::uint64_t, std::uint64_t> seen;
  if (after != nullptr) {
    for (const auto& [block, events] : after->blocks) seen[block] = events;
  }
  // What happens while this reads is left for the next time, also where it is seen: what has caused it, on another
  // thread, may just have been missed.
  const TickClock clock;
  const std::uint64_t cut = clock.ticks_now();
  const Shelf::Contents contents = shelf_->contents();
  Page page;
  page.next.total = contents.gone;
  for (const auto& block : contents.blocks) {
    const auto known = seen.find(block->serial());
    const std::uint64_t now_seen = block->read(known == seen.end() ? 0 : known->second, cut, page.events);
    page.next.blocks.push_back({block->serial(), now_seen});
    page.next.total += now_seen;
  }
  std::stable_sort(page.events.begin(), page.events.end(),
                   [](const KeptEvent& a, const KeptEvent& b) { return a.at_ticks < b.at_ticks; });
  if (page.events.size() > kShown) {
    page.events.erase(page.events.begin(), page.events.end() - static_cast<std::ptrdiff_t>(kShown));
  }
  for (KeptEvent& event : page.events) clock.tell(event);
  if (after != nullptr && page.next.total >= after->total + page.events.size()) {
    page.missed = page.next.total - after->total - page.events.size();
  }
  return page;
}

}  // namespace busbar::host

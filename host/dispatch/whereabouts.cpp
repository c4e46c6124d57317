#include "dispatch/whereabouts.hpp"

#include <busbar/thread_safety.hpp>

#include <vector>

namespace busbar::host {

namespace {

// Those that no thread has. Never destroyed: threads may end after everything else.
class FreePlaces {
 public:
  static FreePlaces& instance() {
    static auto& places = *new FreePlaces;
    return places;
  }

  void add(std::span<Place> places) {
    const MutexLock lock(mutex_);
    for (Place& place : places) free_.push_back(&place);
  }
  Place* take() noexcept {
    const MutexLock lock(mutex_);
    if (free_.empty()) return nullptr;
    Place* const place = free_.back();
    free_.pop_back();
    return place;
  }
  // There is room for it: it was taken from here.
  void give_back(Place& place) noexcept {
    place.store(0, std::memory_order_relaxed);
    const MutexLock lock(mutex_);
    free_.push_back(&place);
  }

 private:
  Mutex mutex_;
  std::vector<Place*> free_ BUSBAR_GUARDED_BY(mutex_);
};

// Gives the place back when its thread ends.
struct Held {
  Place* place = nullptr;
  Held() = default;
  ~Held() {
    if (place != nullptr) FreePlaces::instance().give_back(*place);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

}  // namespace

thread_local constinit Place* Whereabouts::place_ = nullptr;

void Whereabouts::keep_in(std::span<Place> places) { FreePlaces::instance().add(places); }

Place& Whereabouts::find_place() noexcept {
  thread_local Place unseen{0};
  thread_local Held held;
  held.place = FreePlaces::instance().take();
  place_ = held.place != nullptr ? held.place : &unseen;
  return *place_;
}

}  // namespace busbar::host

// Counts its calls, and hands the count over to its next version. Several plugins are made of it, all called "counter".
#include <busbar/plugin.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

struct Counted {
  std::int64_t count = 0;
  std::string version;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(count), CEREAL_NVP(version));
  }
};

struct Pause {
  std::uint32_t ms = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(ms));
  }
};

class Counter final : public busbar::Router {
 public:
  Counter() {
    service("count", &Counter::count);
    service("count_inline", &Counter::count).inlined();
    service("count_slowly", &Counter::count_slowly);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

  busbar::State save_state() override { return {COUNTER_STATE, busbar::Payload::of(count_.load())}; }
  void restore_state(const busbar::State& state) override {
    if (state.version > COUNTER_KNOWS) throw unknown_state(state);
    count_ = state.value.as<std::int64_t>();
  }

 private:
  Counted count() { return {++count_, COUNTER_VERSION}; }
  Counted count_slowly(const Pause& pause) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause.ms));
    return count();
  }
  std::atomic<std::int64_t> count_{0};
};

BUSBAR_PLUGIN(Counter, "counter", COUNTER_VERSION)

// Ends the whole host, in each way in which a plugin can.
#include <busbar/plugin.hpp>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

int* volatile nowhere = nullptr;
volatile int no_end = 1;

// Not inlined, and not made a loop.
[[gnu::noinline]] int overflow(int depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return no_end != 0 ? overflow(depth + 1) + frame[0] : 0;
}

// Apart from who may not let it through, so that no compiler warns of that.
void throws() { throw std::runtime_error("the \"kettle\"\nis cold"); }

class Crashes final : public busbar::Router {
 public:
  Crashes() {
    service("reads_null", &Crashes::reads_null);
    service("reads_null_inline", &Crashes::reads_null).inlined();
    service("aborts", &Crashes::aborts);
    service("overflows", &Crashes::overflows);
    service("throws_where_none_may", &Crashes::throws_where_none_may);
    service("in_thread", &Crashes::in_thread);
    service("in_callback", &Crashes::in_callback);
    service("is_sent_a_signal", &Crashes::is_sent_a_signal);
    service("logs_and_crashes", &Crashes::logs_and_crashes);
    service("works", &Crashes::works);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  void start(const busbar::Payload& config) override {
    if (config.to_json().contains("crash_at_start")) reads_null();
  }

 private:
  int reads_null() { return *nowhere; }
  void aborts() { std::abort(); }
  int overflows() { return overflow(0); }
  void throws_where_none_may() noexcept { throws(); }
  void in_thread() {
    std::thread([this] { reads_null(); }).join();
  }
  void in_callback(busbar::Context& context) {
    host().dispatch_async(context.caused("works", 1), [this](const busbar::Message&) { reads_null(); });
  }
  void is_sent_a_signal() { std::raise(SIGFPE); }
  int logs_and_crashes(busbar::Context& context) {
    for (int i = 0; i < 2'000; ++i) context.log().info("before " + std::to_string(i));
    return reads_null();
  }
  void works() {}
};

}  // namespace

BUSBAR_PLUGIN(Crashes, "crashes", "1.0.0")

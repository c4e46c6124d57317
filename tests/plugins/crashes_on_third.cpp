// Crashes its host when it is called for the third time.
#include <busbar/plugin.hpp>

#include <atomic>
#include <csignal>

class CrashesOnThird final : public busbar::Router {
 public:
  CrashesOnThird() { service("fragile", &CrashesOnThird::work); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  void work() {
    if (++calls_ == 3) std::raise(SIGSEGV);
  }
  std::atomic<int> calls_{0};
};

BUSBAR_PLUGIN(CrashesOnThird, FIXTURE_NAME, "1.0.0")

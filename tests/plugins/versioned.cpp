// Services that answer the version of their plugin: on the caller's thread, on one of the pool, and after a while, so
// that some call is always inside when the plugin is replaced. The version is the build's to say.
#include <busbar/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <thread>

namespace {

class Versioned final : public busbar::Router {
 public:
  Versioned() {
    service("version_inline", &Versioned::version).inlined();
    service("version", &Versioned::version);
    service("version_slowly", &Versioned::take_time);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  std::int64_t version() { return VERSIONED_MAJOR; }
  std::int64_t take_time() {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return version();
  }
};

}  // namespace

#define TEXT_OF(number) #number
#define VERSION_OF(major) TEXT_OF(major) ".0.0"
BUSBAR_PLUGIN(Versioned, "versioned", VERSION_OF(VERSIONED_MAJOR))

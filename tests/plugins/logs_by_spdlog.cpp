// Logs by a spdlog of its own: the header-only one, with its registry, and a logger that writes on a thread of its own.
#include <busbar/plugin.hpp>

#include <spdlog/async.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <string>

namespace {

class LogsBySpdlog final : public busbar::Router {
 public:
  LogsBySpdlog() { service("log_by_spdlog", &LogsBySpdlog::log); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  void start(const busbar::Payload&) override {
    spdlog::set_default_logger(spdlog::create<spdlog::sinks::null_sink_mt>("plugin"));
#ifndef SPDLOG_WITHOUT_THREAD
    spdlog::init_thread_pool(64, 1);
    spdlog::create_async<spdlog::sinks::null_sink_mt>("slowly");
#endif
  }
#ifndef SPDLOG_LEFT_RUNNING
  void stop() override { spdlog::shutdown(); }
#endif

 private:
  void log() {
    spdlog::info("somebody has called");
    if (const auto slowly = spdlog::get("slowly")) slowly->info("somebody has called");
  }
};

}  // namespace

BUSBAR_PLUGIN(LogsBySpdlog, FIXTURE_NAME, "1.0.0")

// Services of each kind that count how many calls they have handled, and answer with the process's number.
#include <busbar/plugin.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Wanted {
  std::int64_t ms = 0;  // how long it takes
  std::string node;     // where
  template <class Archive>
  void serialize(Archive& archive) {
    archive(busbar::field("ms", ms, 0), busbar::field("node", node, std::string()));
  }
};

class Counted final : public busbar::Router {
 public:
  Counted() {
    service("counted_inline", &Counted::count).inlined();
    service("counted", &Counted::take_time);
    service("counted_at", &Counted::take_time);
    service("counted_later", &Counted::answer_later);
    service("counted_nested", &Counted::have_it_counted);
    private_service("counted_part", &Counted::take_time);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  std::string choose_node(const busbar::Message& message) override {
    return message.service_name() == "counted_at" ? message.raw_request_as<Wanted>().node : std::string();
  }
  void start(const busbar::Payload&) override {
    answering_ = std::jthread([this](const std::stop_token& stop) { answer(stop); });
  }
  void stop() override {
    answering_ = {};
    log().info("handled " + std::to_string(handled_) + " calls");
  }

 private:
  struct Later {
    Clock::time_point at;
    busbar::ReplyHandle caller;
    busbar::Message question;
  };

  std::int64_t count(const Wanted&) {
    ++handled_;
    return getpid();
  }
  std::int64_t take_time(const Wanted& wanted) {
    std::this_thread::sleep_for(std::chrono::milliseconds(wanted.ms));
    return count(wanted);
  }
  busbar::Response have_it_counted(const Wanted& wanted, busbar::Context& context) {
    std::this_thread::sleep_for(std::chrono::milliseconds(wanted.ms));
    return context.call("counted_part", Wanted{}).response();
  }
  busbar::NoReply answer_later(const Wanted& wanted, busbar::Context& context) {
    const auto at = Clock::now() + std::chrono::milliseconds(wanted.ms);
    const std::lock_guard lock(mutex_);
    later_.push_back({at, context.reply_handle(), context.caused("counted_part", Wanted{})});
    return busbar::no_reply;
  }

  void answer(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const auto now = Clock::now();
      const std::lock_guard lock(mutex_);
      std::erase_if(later_, [now](Later& one) {
        if (now < one.at) return false;
        one.caller.reply(one.caller.dispatch(one.question).response());
        return true;
      });
    }
  }

  std::atomic<std::uint64_t> handled_{0};
  std::mutex mutex_;
  std::vector<Later> later_;
  std::jthread answering_;
};

}  // namespace

BUSBAR_PLUGIN(Counted, "counted", "1.0.0")

#include "top/verb.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

#include "admin_client.hpp"
#include "dev/interrupts.hpp"
#include "top/interval.hpp"
#include "top/screen.hpp"
#include "top/terminal.hpp"
#include "top/watcher.hpp"

namespace busbar::cli {

namespace {

using Clock = HostWatcher::Clock;

/// Waits until one of the descriptors is readable, the host may have answered, the watcher has something to do, or the
/// time has come.
void wait(HostWatcher& watcher, std::initializer_list<int> descriptors, Clock::time_point until) {
  std::vector<zmq_pollitem_t> items;
  for (const int descriptor : descriptors) items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
  watcher.watch(items);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(watcher.due(), until) - Clock::now());
  zmq_poll(items.data(), static_cast<int>(items.size()), std::max<long>(left.count(), 0));
}

class FullScreen {
 public:
  FullScreen(const Command& command, const ConnectPipe& connect, const Streams& streams)
      : watcher_(connect, command.interval), palette_(streams.coloured_out) {}

  void run() {
    for (;;) {
      if (watcher_.work() || watcher_.problem() != shown_problem_) draw();
      wait(watcher_, {STDIN_FILENO, interrupts_.descriptor(), terminal_.resized()}, Clock::time_point::max());
      if (interrupts_.take() || !heed_keys()) return;
      terminal_.heed_resize();
      const auto [width, height] = Terminal::size();
      if (width != width_ || height != height_) draw();
    }
  }

 private:
  /// False: it is to end.
  bool heed_keys() {
    const SortBy before = order_;
    for (const char key : Terminal::keys()) {
      if (key == 'q' || key == 'Q') return false;
      if (key == 'r') order_ = SortBy::rate;
      if (key == 'p') order_ = SortBy::p99;
      if (key == 'e') order_ = SortBy::errors;
      if (key == 'n') order_ = SortBy::name;
    }
    if (order_ != before) draw();
    return true;
  }

  void draw() {
    const auto [width, height] = Terminal::size();
    width_ = width;
    height_ = height;
    shown_problem_ = watcher_.problem();
    const Snapshot none;
    const bool is_known = watcher_.now().has_value();
    const Snapshot& now = is_known ? *watcher_.now() : none;
    const Interval interval = interval_between(watcher_.before(), now, order_);
    Terminal::draw(
        screen_of({now, interval, order_, is_known ? shown_problem_ : "waiting for the host"}, width, height),
        palette_);
  }

  HostWatcher watcher_;
  const Palette palette_;
  Interrupts interrupts_;
  Terminal terminal_;
  SortBy order_ = SortBy::rate;
  std::string shown_problem_;
  std::size_t width_ = 0;
  std::size_t height_ = 0;
};

ExitStatus show_once(const Command& command, const ConnectPipe& connect, const Streams& streams) {
  HostWatcher watcher(connect, command.interval);
  const auto begin = Clock::now();
  auto silent_until = begin + kHostPatience / 2;
  while (watcher.before() == nullptr) {
    if (watcher.work()) silent_until = Clock::now() + kHostPatience / 2;
    if (Clock::now() >= silent_until) {  // before its first scan is over it does not answer either
      if (!is_host_alive(command.run_dir)) throw silent_host(command.run_dir, Clock::now() - begin);
      silent_until = Clock::now() + kHostPatience / 2;
    }
    if (watcher.before() == nullptr) wait(watcher, {}, silent_until);
    if (watcher.now() && !watcher.problem().empty()) {
      throw Failure(ExitStatus::no_host, failure_code::kNoHost, watcher.problem(), "its log says why");
    }
  }
  const Interval interval = interval_between(watcher.before(), *watcher.now(), SortBy::rate);
  if (command.json) {
    streams.out << top_json(*watcher.now(), interval).dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return ExitStatus::ok;
  }
  const Palette palette(streams.coloured_out);
  for (const ScreenLine& line : screen_of({*watcher.now(), interval}, Terminal::size().width, 0)) {
    std::string text;
    for (const Cell& cell : line) text += palette(cell.colour, cell.text);
    while (text.ends_with(' ')) text.pop_back();
    streams.out << text << "\n";
  }
  return ExitStatus::ok;
}

}  // namespace

ExitStatus run_top(const Command& command, const ConnectPipe& connect, bool is_terminal, const Streams& streams) {
  if (command.once || command.json || !is_terminal) return show_once(command, connect, streams);
  FullScreen(command, connect, streams).run();
  return ExitStatus::ok;
}

}  // namespace busbar::cli

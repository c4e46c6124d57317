#include "dev/session.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "admin_client.hpp"
#include "dev/delivery.hpp"
#include "dev/plugin_note.hpp"
#include "schema_text.hpp"
#include "text.hpp"

namespace busbar::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto kSettled = 150ms;  // a burst of saves has come to its end
constexpr auto kPatience = 2s;    // or goes on for so long that it is not waited for any more
constexpr auto kOneWish = 1s;  // interrupts that come so soon after each other say one thing: some senders say it twice
constexpr auto kLook = 50ms;   // how often is looked whether a host that was started answers

// Of what a call goes through its end is enough; of the host's life, its plugins.
constexpr std::array<const char*, 7> kShown = {"service_responded", "service_not_found", "inline_service_too_slow",
                                               "plugin_loaded",     "plugin_reloaded",   "plugin_unloaded",
                                               "plugin_failed"};

std::string seconds(std::chrono::steady_clock::duration duration) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(duration).count());
  return text.data();
}

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + printable(name);
  return out;
}

bool has_ended(const pollfd& watched) { return watched.fd >= 0 && watched.revents != 0; }

int descriptor_of(const std::unique_ptr<Child>& child) { return child ? child->descriptor() : -1; }

}  // namespace

Session::Session(const Command& command, Programs programs, const Variables& variables, const Streams& streams)
    : command_(command),
      programs_(std::move(programs)),
      variables_(variables),
      streams_(streams),
      project_(command.directory.empty() ? "." : command.directory),
      run_dir_(command.is_run_dir_given ? fs::absolute(command.run_dir) : scratch_.run_dir()),
      watch_(project_.directory()) {}

void Session::say(const std::string& text) const {
  streams_.out << Palette(streams_.coloured_out)(Colour::bold, "dev:") << " " << text << std::endl;
}

void Session::say(const Failure& failure) const { report(failure, false, streams_); }

ExitStatus Session::run() {
  say("building " + in_quotes(project_.directory().native()) + " in its build/dev at every save; Ctrl-C ends it");
  say("call it from another terminal: busbar --run-dir " + shell_word(run_dir_.native()) + " call SERVICE '{}'");
  begin_build();  // what fails here would fail at every save
  for (bool goes_on = true; goes_on;) {
    try {
      goes_on = wait();
    } catch (const Failure& failure) {
      say(failure);
      give_up_build();
    }
  }
  return end();
}

/// False: it is to end.
bool Session::wait() {
  std::array<pollfd, 5> watched = {{{interrupts_.descriptor(), POLLIN, 0},
                                    {watch_.descriptor(), POLLIN, 0},
                                    {descriptor_of(build_), POLLIN, 0},
                                    {descriptor_of(host_), POLLIN, 0},
                                    {descriptor_of(follower_), POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), longest_wait());
  if (interrupts_.take() || !streams_.out) return false;
  if (watched[1].revents != 0) note_changes();
  if (has_ended(watched[3])) host_ended();
  if (has_ended(watched[4])) follower_ended();
  if (has_ended(watched[2])) step_ended();
  if (must_follow_) follow_host();
  const auto now = Clock::now();
  if (first_save_ && (now - last_save_ >= kSettled || now - *first_save_ >= kPatience)) begin_build();
  return true;
}

int Session::longest_wait() const {
  if (first_save_) return static_cast<int>(kSettled.count()) + 1;
  return must_follow_ ? static_cast<int>(kLook.count()) : -1;
}

void Session::note_changes() {
  const std::vector<fs::path> files = watch_.changes();
  if (files.empty()) return;
  last_save_ = Clock::now();
  if (!first_save_) first_save_ = last_save_;
  must_configure_ |= std::any_of(files.begin(), files.end(), is_build_description);
}

// A build under way may have read what was there before, and is begun anew. Once only: one that writes to the sources
// itself would never come to its end.
void Session::begin_build() {
  if (build_) {
    if (was_begun_anew_) return;  // what has come since is built when it has ended
    was_begun_anew_ = true;
    build_->end_group();
    build_.reset();
  }
  say(first_save_ ? "saved; building" : "building");
  first_save_.reset();
  build_begun_ = Clock::now();
  begin_step(must_configure_ || !project_.is_configured() ? Step::configure : Step::build);
}

void Session::begin_step(Step step) {
  step_ = step;
  std::vector<std::string> command;
  if (step == Step::configure) {
    project_.ask_for_libraries();
    command = project_.configure_command(variables_);
  } else {
    asked_for_ = project_.libraries();
    if (asked_for_.empty())
      return build_failed("the project has no library that can be loaded: is there a busbar_add_plugin?");
    command = project_.build_command(asked_for_);
  }
  build_ = std::make_unique<Child>(std::move(command), SIGTERM, "install CMake 3.25 or later");
}

void Session::step_ended() {
  const ChildEnd ended = build_->wait();
  build_.reset();
  if (step_ == Step::configure) {
    must_configure_ = !ended.succeeded();
    if (!ended.succeeded()) return build_failed("CMake ended with " + ended.text());
    return begin_step(Step::build);
  }
  // The build may have found by itself that it had to be configured anew.
  if (project_.libraries() != asked_for_) return begin_step(Step::build);
  if (!ended.succeeded()) return build_failed("the build ended with " + ended.text());
  built();
}

// The build tree may have been taken away, or the disk be full: the next save is another attempt, from the beginning.
void Session::give_up_build() {
  build_.reset();
  step_ = Step::none;
  was_begun_anew_ = false;
  must_configure_ = true;
}

void Session::build_failed(const std::string& how) {
  step_ = Step::none;
  was_begun_anew_ = false;
  say(Palette(streams_.coloured_out)(Colour::red, "failed") + ": " + how + "; " +
      (has_plugins_ ? "what was built before goes on" : "there is nothing yet that could be served"));
  serve();
}

void Session::built() {
  step_ = Step::none;
  was_begun_anew_ = false;
  say(Palette(streams_.coloured_out)(Colour::green, "built") + " in " + seconds(Clock::now() - build_begun_));
  try {
    bring_to_host();
  } catch (const Failure& failure) {
    say(failure);
  }
  serve();
}

void Session::bring_to_host() {
  std::vector<fs::path> plugins;
  for (const BuiltLibrary& library : asked_for_) {
    if (has_plugin_note(library.file)) plugins.push_back(library.file);
  }
  const Delivery delivery = deliver(plugins, scratch_.plugins());
  has_plugins_ = !plugins.empty();
  if (!has_plugins_) say("none of the project's libraries is a plugin: BUSBAR_PLUGIN is what makes one");
  if (!delivery.brought.empty()) say("brought to the host: " + list_of(delivery.brought));
  if (!delivery.taken_away.empty()) say("taken from the host: " + list_of(delivery.taken_away));
  if (has_plugins_ && delivery.brought.empty() && delivery.taken_away.empty()) say("the libraries are as they were");
}

/// Starts the host, where none runs and there is something to be served.
void Session::serve() {
  if (host_ || !has_plugins_) return;
  std::vector<std::string> command = {
      programs_.busbard.native(), "--plugins",   scratch_.plugins().native(), "--run-dir", run_dir_, "--state-dir",
      scratch_.state().native(),  "--cache-dir", scratch_.cache().native()};
  if (command_.config.empty()) {
    command.insert(command.end(), {"--node", "dev"});
  } else {
    command.insert(command.end(), {"--config", command_.config});
  }
  host_ = std::make_unique<Child>(std::move(command), SIGTERM);
  must_follow_ = true;
  say("the host is process " + std::to_string(host_->pid()) + "; a debugger of it: gdb -p " +
      std::to_string(host_->pid()));
}

void Session::host_ended() {
  const ChildEnd ended = host_->wait();
  host_.reset();
  must_follow_ = false;
  say(Palette(streams_.coloured_out)(Colour::red, "the host has ended") + " with " + ended.text() +
      "; at the next save it is started again");
}

// Another process does that, as a host that stands in a debugger does not answer: to wait for it must not hold up a
// save.
void Session::follow_host() {
  try {
    const AdminClient answers(run_dir_);
  } catch (const Failure&) {
    return;  // not yet
  }
  must_follow_ = false;
  std::vector<std::string> command = {programs_.busbar.native(), "--run-dir", run_dir_, "events", "--follow"};
  for (const char* kind : kShown) command.insert(command.end(), {"--event", kind});
  follower_ = std::make_unique<Child>(std::move(command), SIGKILL);
}

void Session::follower_ended() {
  const ChildEnd ended = follower_->wait();
  follower_.reset();
  if (ended.status == static_cast<int>(ExitStatus::no_host)) return;  // of which the host's end tells
  say("events of the host are shown no more: \"busbar events --follow\" ended with " + ended.text());
}

ExitStatus Session::end() {
  if (build_) build_->end_group();
  build_.reset();
  follower_.reset();
  if (!host_) return ExitStatus::ok;
  say("ending the host");
  host_->signal(SIGTERM);
  const auto asked = Clock::now();
  std::array<pollfd, 2> watched = {{{host_->descriptor(), POLLIN, 0}, {interrupts_.descriptor(), POLLIN, 0}}};
  while (!has_ended(watched[0])) {
    ::poll(watched.data(), watched.size(), -1);
    const bool is_asked_again = interrupts_.take() && Clock::now() - asked >= kOneWish;
    if (is_asked_again) host_->signal(SIGKILL);  // who asks twice does not want to wait
  }
  const ChildEnd ended = host_->wait();
  host_.reset();
  say(ended.succeeded() ? "the host has ended in order" : "the host has ended with " + ended.text());
  return ended.succeeded() ? ExitStatus::ok : ExitStatus::error;
}

}  // namespace busbar::cli

#include "daemon/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "pool/clock.hpp"

namespace busbar::host {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAtStatus{5'000};
// A start may take as long as it goes on, for many files are tried; this much longer from each time that it is seen to.
constexpr milliseconds kStartsFor{60'000};

std::string microseconds(milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

}  // namespace

ServiceManager::ServiceManager() : listens_(std::getenv("NOTIFY_SOCKET") != nullptr) {
  std::uint64_t watchdog_us = 0;
  // Not left for the processes that try plugins, which nobody watches.
  if (sd_watchdog_enabled(1, &watchdog_us) > 0) watchdog_ = milliseconds(watchdog_us / 1'000);
}

std::optional<milliseconds> ServiceManager::interval() const {
  if (!listens_) return std::nullopt;
  return std::max(milliseconds(1), std::min(kLookAtStatus, watchdog_.value_or(kLookAtStatus) / 3));
}

void ServiceManager::alive(const std::vector<std::string_view>& stuck, const std::string& status) {
  const MutexLock lock(mutex_);
  if (state_ == State::stopping) return;
  if (stuck.empty()) {
    const bool starts = state_ == State::starting;
    say("WATCHDOG=1\nSTATUS=" + status + (starts ? "\nEXTEND_TIMEOUT_USEC=" + microseconds(kStartsFor) : ""));
    return;
  }
  std::string names;
  for (const std::string_view name : stuck) names.append(names.empty() ? "" : ", ").append(name);
  say("STATUS=stuck: these threads do not go on: " + names);
}

void ServiceManager::ready(const std::string& status) {
  const MutexLock lock(mutex_);
  if (state_ != State::starting) return;
  state_ = State::ready;
  say("READY=1\nSTATUS=" + status);
}

void ServiceManager::reloading() {
  const MutexLock lock(mutex_);
  ++reloads_;
  if (state_ != State::ready) return;  // then it is no reload, but a part of the start
  say("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now_ns() / kMicrosecond));
}

void ServiceManager::reloaded() {
  const MutexLock lock(mutex_);
  if (--reloads_ == 0 && state_ == State::ready) say("READY=1");
}

void ServiceManager::stopping(milliseconds budget) {
  const MutexLock lock(mutex_);
  state_ = State::stopping;
  const std::string most = microseconds(budget);
  say("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=" + most + (watchdog_ ? "\nWATCHDOG_USEC=" + most : ""));
}

// Where it cannot be said there is nobody to tell of that.
void ServiceManager::say(const std::string& message) const {
  if (listens_) static_cast<void>(sd_notify(0, message.c_str()));
}

}  // namespace busbar::host

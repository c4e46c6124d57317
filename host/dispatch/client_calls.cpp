#include "dispatch/client_calls.hpp"

#include <chrono>

namespace busbar::host {

bool ClientCalls::begin(const Requester& client, std::uint64_t attempt) {
  const MutexLock lock(mutex_);
  return calls_.try_emplace({&client, attempt}).second;
}

void ClientCalls::hold(const Requester& client, std::uint64_t attempt, PendingCall call) {
  {
    const MutexLock lock(mutex_);
    const auto row = calls_.find({&client, attempt});
    if (row != calls_.end()) return std::swap(row->second, call);
  }
  call.cancel();  // given up meanwhile; or it has ended, and this does nothing
}

// What is taken out here is let go without the lock.

void ClientCalls::end(const Requester& client, std::uint64_t attempt) noexcept {
  std::map<Key, PendingCall>::node_type taken;
  const MutexLock lock(mutex_);
  taken = calls_.extract({&client, attempt});
  if (taken) client.call_ended();
  if (calls_.empty()) ended_.notify_all();
}

bool ClientCalls::wait_until_none(Nanos deadline) const {
  const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
  const MutexLock lock(mutex_);
  while (!calls_.empty()) {
    if (ended_.wait_until(mutex_, until) == std::cv_status::timeout) return calls_.empty();
  }
  return true;
}

void ClientCalls::cancel(const Requester& client, std::uint64_t attempt) noexcept {
  PendingCall call;
  {
    const MutexLock lock(mutex_);
    const auto row = calls_.find({&client, attempt});
    if (row == calls_.end()) return;
    std::swap(row->second, call);
    calls_.erase(row);
    client.call_ended();
    if (calls_.empty()) ended_.notify_all();
  }
  call.cancel();
}

void ClientCalls::cancel_all(const Requester& client) noexcept {
  for (;;) {
    std::uint64_t attempt = 0;
    {
      const MutexLock lock(mutex_);
      const auto row = calls_.lower_bound({&client, 0});
      if (row == calls_.end() || row->first.first != &client) return;
      attempt = row->first.second;
    }
    cancel(client, attempt);
  }
}

}  // namespace busbar::host

#include "busbar/registry/net/resolver.hpp"

#include <busbar/registry/net/address.hpp>
#include <busbar/thread_safety.hpp>

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

namespace busbar::registry::net {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostHosts = 64;  // that one name may stand for
constexpr std::size_t kMostNames = 1'000;
constexpr unsigned kMostThreads = 4;
constexpr std::chrono::seconds kKept{10};

}  // namespace

Hosts look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) return {{}, error == EAI_SYSTEM ? std::generic_category().message(errno) : ::gai_strerror(error)};
  Hosts out;
  for (const addrinfo* i = found; i != nullptr && out.hosts.size() < kMostHosts; i = i->ai_next) {
    char text[NI_MAXHOST] = "";
    if (::getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(out.hosts.begin(), out.hosts.end(), text) == out.hosts.end()) out.hosts.emplace_back(text);
  }
  ::freeaddrinfo(found);
  if (out.hosts.empty()) out.error = "it has no address";
  return out;
}

struct Resolver::State {
  struct Entry {
    std::optional<Resolved> answer;
    Clock::time_point since{};  // of the answer
  };

  State(Lookup lookup_with, std::function<void()> ring_with)
      : lookup(std::move(lookup_with)), ring(std::move(ring_with)) {}

  void work() noexcept;
  Resolved resolve(const std::string& address) const noexcept;
  void forget_old() BUSBAR_REQUIRES(mutex);

  const Lookup lookup;
  const std::function<void()> ring;
  Mutex mutex;
  std::map<std::string, Entry> entries BUSBAR_GUARDED_BY(mutex);
  std::deque<std::string> queue BUSBAR_GUARDED_BY(mutex);
  unsigned threads BUSBAR_GUARDED_BY(mutex) = 0;
  bool over BUSBAR_GUARDED_BY(mutex) = false;
};

Resolver::Resolver(Lookup lookup, std::function<void()> ring)
    : state_(std::make_shared<State>(std::move(lookup), std::move(ring))) {}

Resolver::~Resolver() {
  const MutexLock lock(state_->mutex);
  state_->over = true;
}

std::optional<Resolved> Resolver::ask(const std::string& address) {
  State& state = *state_;
  const MutexLock lock(state.mutex);
  state.forget_old();
  if (const auto known = state.entries.find(address); known != state.entries.end()) {
    auto answer = std::move(known->second.answer);
    if (answer) state.entries.erase(known);
    return answer;
  }
  if (state.entries.size() >= kMostNames) return Resolved{{}, "too many names are being looked up"};
  state.entries.try_emplace(address);
  state.queue.push_back(address);
  if (state.threads == kMostThreads) return std::nullopt;
  try {
    std::thread([shared = state_] { shared->work(); }).detach();
    ++state.threads;
  } catch (const std::system_error& error) {
    if (state.threads != 0) return std::nullopt;  // another one will do it
    state.queue.pop_back();
    state.entries.erase(address);
    return Resolved{{}, std::string("cannot start a thread: ") + error.what()};
  }
  return std::nullopt;
}

/// The body of a thread: until there is nothing more to do.
void Resolver::State::work() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "busbar-names");
  for (;;) {
    std::string address;
    {
      const MutexLock lock(mutex);
      if (over || queue.empty()) {
        --threads;
        return;
      }
      address = std::move(queue.front());
      queue.pop_front();
    }
    Resolved answer = resolve(address);
    const MutexLock lock(mutex);
    if (over) return;
    entries[address] = {std::move(answer), Clock::now()};
    ring();
  }
}

Resolved Resolver::State::resolve(const std::string& address) const noexcept try {
  Hosts found = lookup(std::string(host_of(address)));
  Resolved out;
  out.error = std::move(found.error);
  for (const std::string& host : found.hosts) out.addresses.push_back(with_host(address, host));
  return out;
} catch (const std::exception& error) {
  return {{}, error.what()};
}

void Resolver::State::forget_old() {
  const auto before = Clock::now() - kKept;
  std::erase_if(entries, [&](const auto& entry) { return entry.second.answer && entry.second.since < before; });
}

}  // namespace busbar::registry::net

#include "pool/pool.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "pool/pool_state.hpp"

namespace busbar::host {

namespace {

PoolOptions checked(PoolOptions options) {
  if (options.threads == 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (options.max_threads > Pool::kMaxThreads) {
    throw std::invalid_argument("could not make the pool: max_threads is " + std::to_string(options.max_threads) +
                                ", at most " + std::to_string(Pool::kMaxThreads) + " are possible");
  }
  if (options.threads > options.max_threads) {
    throw std::invalid_argument("could not make the pool: threads is " + std::to_string(options.threads) +
                                ", expected at most max_threads, which is " + std::to_string(options.max_threads));
  }
  // So that they can be added to a time.
  options.grow_after = std::min(options.grow_after, kNever / 2);
  options.idle_timeout = std::min(options.idle_timeout, kNever / 2);
  if (!options.start_thread) {
    options.start_thread = [](std::function<void()> body) { return std::thread(std::move(body)); };
  }
  return options;
}

}  // namespace

Pool::Pool(Supervisor& supervisor, PoolOptions options)
    : state_(std::make_shared<State>(supervisor, checked(std::move(options)))) {
  state_->start_first_threads();
  // Weakly, because the duty stays with the supervisor.
  supervisor.add_duty([weak = std::weak_ptr(state_)](Nanos now) {
    const std::shared_ptr<State> state = weak.lock();
    return state ? state->check_queue(now) : kNever;
  });
}

Pool::~Pool() { stop(now_ns() + kSecond); }

Submitted Pool::submit(Task& task, Nanos now) noexcept { return state_->submit(task, now); }

PoolStopped Pool::stop(Nanos deadline) noexcept { return state_->stop(deadline); }

std::size_t Pool::longest_queue() const noexcept { return state_->longest_queue(); }

PoolStats Pool::stats() const noexcept { return state_->stats(); }

bool Pool::begin_making_up() noexcept { return state_->begin_blocking(); }
void Pool::end_making_up() noexcept { state_->end_blocking(); }

YieldGuard& Pool::yield_guard() noexcept { return state_->yield_guard(); }

}  // namespace busbar::host

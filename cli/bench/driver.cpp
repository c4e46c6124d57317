#include "bench/driver.hpp"

#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "text.hpp"

namespace busbar::cli {

using std::chrono::nanoseconds;

namespace {

/// For how long what was due is sent after the end, and answers are waited for after an interrupt.
constexpr std::chrono::seconds kAfterwards{1};
/// For how long the last answers are waited for, where nobody said how long a call may take; and beyond it, where one
/// did.
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kSlack{2};
constexpr std::chrono::seconds kProgressEvery{1};
/// Calls that were never sent are counted in at most so many groups, each by who of it has waited longest.
constexpr std::uint64_t kMostGroups = 100'000;

}  // namespace

Driver::Driver(const BenchOptions& options, std::optional<std::uint32_t> timeout_ms, CallPipe& pipe,
               Interrupts& interrupts, Progress& progress)
    : options_(options),
      pipe_(pipe),
      interrupts_(interrupts),
      progress_(progress),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      callers_(options.callers_or_usual()) {
  if (timer_ < 0) {
    throw Failure(ExitStatus::error, failure_code::kLocal, "could not make a timer: " + error_text(errno));
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // calls are to be sent when they are due
  for (std::size_t i = callers_.size(); i > 0; --i) free_.push_back(i - 1);
  start_ = Clock::now();
  measured_from_ = start_ + options.warm_up;
  last_due_ = measured_from_ + options.duration;
  last_sent_ = last_due_ + kAfterwards;
  given_up_ = last_sent_ + (timeout_ms ? std::chrono::milliseconds(*timeout_ms) + kSlack : kPatience);
  next_progress_ = start_ + kProgressEvery;
}

Driver::~Driver() { ::close(timer_); }

BenchResult Driver::run() {
  try {
    call_until_over();
  } catch (const Failure& failure) {
    if (result_.tally.answers() == 0) throw;
    result_.broken_off = failure;
    last_due_ = std::min(last_due_, Clock::now());
  }
  result_.measured = std::max(nanoseconds(last_due_ - measured_from_), nanoseconds(0));
  give_up_the_rest();
  return std::move(result_);
}

void Driver::call_until_over() {
  for (Time now = Clock::now(); !is_over(now); now = Clock::now()) {
    begin_due(now);
    pipe_.flush();
    wait();
    take();
    heed_interrupts();
    show_progress(Clock::now());
  }
}

bool Driver::is_over(Time now) const {
  if (now < last_due_) return false;
  const bool all_sent = !has_unsent() || now >= last_sent_;
  return (all_sent && free_.size() == callers_.size()) || now >= given_up_ || interrupts_taken_ > 1;
}

// --------------------------------------------------------------------------------------------------------- beginning

Driver::Time Driver::next_due() const {
  const double after_s = static_cast<double>(started_) / *options_.rate;
  return start_ + nanoseconds(std::llround(after_s * 1e9));
}

void Driver::begin_due(Time now) {
  while (!free_.empty()) {
    const Time due = options_.rate ? next_due() : now;
    if (due > now || due >= last_due_ || now >= last_sent_) return;
    begin(due, now);
  }
}

void Driver::begin(Time due, Time now) {
  const std::size_t caller = free_.back();
  free_.pop_back();
  ++started_;
  callers_[caller] = {started_ * callers_.size() + caller, due};
  pipe_.begin(caller, callers_[caller].number);
  if (is_measured(now)) ++result_.begun;
}

// ----------------------------------------------------------------------------------------------------------- waiting

Driver::Time Driver::wakes_at(Time now) const {
  Time wake = now < last_due_ ? last_due_ : given_up_;
  if (has_unsent() && now < last_sent_) wake = free_.empty() ? std::min(wake, last_sent_) : next_due();
  return progress_.is_shown() ? std::min(wake, next_progress_) : wake;
}

/// Until something has come, can be sent, or is due.
void Driver::wait() {
  const Time now = Clock::now();
  const Time wake = wakes_at(now);
  itimerspec at{};
  const auto since_boot = std::max(nanoseconds(wake.time_since_epoch()), nanoseconds(1));  // 0 would be never
  at.it_value.tv_sec = static_cast<time_t>(since_boot.count() / 1'000'000'000);
  at.it_value.tv_nsec = static_cast<long>(since_boot.count() % 1'000'000'000);
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
  polled_.clear();
  polled_.push_back({nullptr, timer_, ZMQ_POLLIN, 0});
  polled_.push_back({nullptr, interrupts_.descriptor(), ZMQ_POLLIN, 0});
  pipe_.watch(polled_);
  zmq_poll(polled_.data(), static_cast<int>(polled_.size()), wake <= now ? 0 : -1);
}

void Driver::heed_interrupts() {
  while (interrupts_.take()) {
    const Time now = Clock::now();
    if (++interrupts_taken_ == 1 && now < last_due_) {
      result_.interrupted = true;
      last_due_ = now;
    }
    last_sent_ = std::min(last_sent_, now);
    given_up_ = std::min(given_up_, now + kAfterwards);
  }
}

// ----------------------------------------------------------------------------------------------------------- answers

void Driver::take() {
  taken_.clear();
  pipe_.take(taken_);
  const Time now = Clock::now();
  for (const auto& answer : taken_) take(answer, now);
}

void Driver::take(const wire::AdminAnswer& answer, Time now) {
  Caller& caller = callers_[answer.seq % callers_.size()];
  if (answer.seq == 0 || caller.number != answer.seq || !answer.reply) return;  // nobody waits for it
  const Response response = wire::from_wire(answer.reply->response);
  if (!std::exchange(answered_, true) && response.kind() == Response::Kind::service_unavailable) {
    throw Failure(ExitStatus::service_unavailable, wire::name_of(response.kind()),
                  "nothing was measured: nobody offers " + in_quotes(answer.reply->response.name.value_or("")));
  }
  ++answers_;
  if (is_measured(caller.due)) result_.tally.answered(response, now - caller.due);
  caller.number = 0;
  free_.push_back(answer.seq % callers_.size());
}

void Driver::give_up_the_rest() {
  const Time now = Clock::now();
  for (const Caller& caller : callers_) {
    if (caller.number != 0 && is_measured(caller.due)) result_.tally.no_answer(now - caller.due);
  }
  if (!options_.rate) return;
  const auto in_all = static_cast<std::uint64_t>(
      std::max(std::ceil(std::chrono::duration<double>(last_due_ - start_).count() * *options_.rate), 0.0));
  const Time until = std::min(now, last_sent_);
  const std::uint64_t together = in_all > started_ ? (in_all - started_) / kMostGroups + 1 : 1;
  for (; started_ < in_all; started_ += together) {
    const Time due = next_due();
    const std::uint64_t count = std::min(together, in_all - started_);
    if (is_measured(due)) result_.tally.unsent(until - due, count);
  }
}

void Driver::show_progress(Time now) {
  if (!progress_.is_shown() || now < next_progress_) return;
  const auto since = std::chrono::duration<double>(now - (next_progress_ - kProgressEvery)).count();
  Progress::State state;
  state.passed = std::chrono::floor<std::chrono::seconds>(now - measured_from_);
  state.duration = options_.duration;
  state.waits_for_the_last = now >= last_due_;
  state.answers_per_s = static_cast<double>(answers_ - answers_shown_) / since;
  state.failures = result_.tally.failures();
  state.p99 = result_.tally.all().quantile(0.99);
  progress_.show(state);
  answers_shown_ = answers_;
  next_progress_ = now + kProgressEvery;
}

}  // namespace busbar::cli

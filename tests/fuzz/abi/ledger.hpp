// What was answered, to whom, and how often: what must hold whatever a plugin does.
#pragma once

#include <busbar/abi.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace busbar::fuzz {

/// Ends the program, for the fuzzer to keep the input, unless it holds.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "abi_fuzz: %s\n", what);
  std::abort();
}

inline std::string_view view(busbar_text text) noexcept { return {text.data, text.size}; }

/// Reads every byte, for the sanitizer to see that it is there.
inline void touch(const void* data, std::size_t size) noexcept {
  static std::atomic<unsigned> sum{0};
  unsigned all = 0;
  for (std::size_t i = 0; i < size; ++i) all += static_cast<const unsigned char*>(data)[i];
  sum.fetch_add(all, std::memory_order_relaxed);
}
inline void touch(std::string_view text) noexcept { touch(text.data(), text.size()); }
inline void touch(busbar_text text) noexcept { touch(text.data, text.size); }
inline void touch(busbar_bytes bytes) noexcept { touch(bytes.data, bytes.size); }

inline void touch(const busbar_response& response) noexcept {
  for (const busbar_text text : {response.name, response.text, response.detail}) touch(text);
  if ((response.flags & BUSBAR_RESPONSE_HAS_VALUE) != 0) touch(response.value);
}
inline void touch(const busbar_message& message) noexcept {
  for (const busbar_text text : {message.service_name, message.id, message.correlation_id, message.causation_id,
                                 message.origin_node, message.caller_name}) {
    touch(text);
  }
  for (const busbar_bytes bytes : {message.raw_request, message.request, message.assigns, message.events,
                                   message.logger_metadata, message.aggregate_meta}) {
    touch(bytes);
  }
  if (message.response != nullptr) touch(*message.response);
}

/// A call as the plugin serves it. Its answers carry its number as their version.
struct Served {
  std::int64_t number = 0;
  std::string id;                   // of its message
  std::atomic<int> accepted{0};     // answers that were taken
  std::atomic<bool> stands{false};  // the one that was is what the caller gets, unless it was late

  void answered(busbar_status status, bool with_what_stands) {
    must(status == BUSBAR_DONE || status == BUSBAR_ALREADY_ANSWERED || status == BUSBAR_INVALID,
         "reply said something that it cannot say");
    if (status != BUSBAR_DONE) return;
    must(accepted.fetch_add(1) == 0, "two answers of one call were taken");
    stands.store(with_what_stands);
  }
};

/// Somebody who is told an outcome exactly once, later.
struct Ticket {
  std::atomic<int> told{0};
  std::atomic<bool> ends{false};  // it has been told, or never will be

  void tell() {
    must(told.fetch_add(1) == 0, "somebody was told two outcomes of one call");
    ends.store(true);
  }
};

/// Threads: any.
class Ledger {
 public:
  /// The plugin is asked about a call for the first time.
  std::shared_ptr<Served> begins(const busbar_call* call, const busbar_message& message) {
    const std::lock_guard lock(mutex_);
    auto served = std::make_shared<Served>();
    served->number = static_cast<std::int64_t>(served_.size()) + 1;
    served->id = view(message.id);
    served_.push_back(served);
    return by_call_[call] = served;
  }
  std::shared_ptr<Served> goes_on(const busbar_call* call) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_call_.find(call);
    must(found != by_call_.end(), "a call was handled that nobody was asked to authorize");
    return found->second;
  }
  Ticket& ticket() {
    const std::lock_guard lock(mutex_);
    return tickets_.emplace_back();
  }
  bool all_told() const {
    const std::lock_guard lock(mutex_);
    for (const Ticket& ticket : tickets_) {
      if (!ticket.ends.load()) return false;
    }
    return true;
  }

  /// What came back is whole, is a response, and is that of the call that was asked.
  void check_outcome(const busbar_message& outcome) const {
    touch(outcome);
    must(outcome.struct_size == sizeof outcome, "the outcome is of another size");
    must(outcome.halted == 1 && outcome.response != nullptr, "the outcome has no response");
    const busbar_response& response = *outcome.response;
    must(response.kind > BUSBAR_RESPONSE_NONE && response.kind <= BUSBAR_RESPONSE_ERROR,
         "the outcome's response is none that there is");
    if ((response.flags & BUSBAR_RESPONSE_HAS_VERSION) != 0) check_answerer(response.version, view(outcome.id));
    if (view(response.text) == "reply dropped") check_dropped(view(outcome.id));
    if (response.kind != BUSBAR_RESPONSE_SERVICE_TIMEOUT) check_standing(response, view(outcome.id));
  }

  /// When all is over.
  void clear() {
    const std::lock_guard lock(mutex_);
    for (const Ticket& ticket : tickets_) must(ticket.told.load() <= 1, "somebody was told two outcomes of one call");
    tickets_.clear();
    by_call_.clear();
    served_.clear();
  }

 private:
  void check_answerer(std::int64_t number, std::string_view id) const {
    const std::lock_guard lock(mutex_);
    must(number > 0 && number <= static_cast<std::int64_t>(served_.size()), "the answer is nobody's");
    const Served& served = *served_[static_cast<std::size_t>(number) - 1];
    must(served.id == id, "the answer is another call's");
  }
  void check_dropped(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    for (const auto& served : served_) {
      if (served->id == id && served->accepted.load() == 0) return;
    }
    must(false, "an answer was taken, and then dropped");
  }

  void check_standing(const busbar_response& response, std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto has_id = [id](const auto& served) { return served->id == id; };
    const auto one = std::find_if(served_.begin(), served_.end(), has_id);
    if (one == served_.end() || std::count_if(served_.begin(), served_.end(), has_id) > 1) return;
    must(!(*one)->stands.load() || response.version == (*one)->number, "an answer was taken, and another one came");
  }

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Served>> served_;  // by their numbers, from 1
  std::map<const busbar_call*, std::shared_ptr<Served>> by_call_;
  std::deque<Ticket> tickets_;
};

}  // namespace busbar::fuzz

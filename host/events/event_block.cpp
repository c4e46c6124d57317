#include "events/event_block.hpp"

#include <algorithm>
#include <cstring>

namespace busbar::host {

namespace {

constexpr std::uint8_t kSameSubject = 1;  // as the record before
constexpr std::uint8_t kPublic = 2;
constexpr std::uint8_t kTimed = 4;      // since when its duration counts follows
constexpr std::uint8_t kDetails = 8;    // plugin, origin, reason and file follow at the end
constexpr std::uint8_t kAnswered = 16;  // the response's kind follows
constexpr std::uint8_t kFailed = 32;    // and the code and reason of an error

// A call as a whole stands in place of a kind; its flags are those of them that do not mean something else below.
constexpr auto kWholeCall = static_cast<EventKind>(255);
constexpr std::uint8_t kHandled = 64;
constexpr std::uint8_t kSameIds = 128;  // its correlation is its id
constexpr std::uint32_t kEventsOfOneHandled = 8;
constexpr std::uint32_t kEventsOfOneRefused = 6;

constexpr std::size_t kLongestName = 255;  // of everything but reason and file; no valid one is longer

// The beginning of a text, not cut inside a character.
std::string_view cut(std::string_view text, std::size_t longest) noexcept {
  if (text.size() <= longest) return text;
  while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xC0U) == 0x80U) --longest;
  return text.substr(0, longest);
}

// What every call emits says no more than its subject, but for who asks.
bool has_details(EventKind kind) noexcept {
  return kind == EventKind::service_request_received || kind >= EventKind::register_local_services;
}

class Out {
 public:
  explicit Out(std::uint8_t* to) noexcept : at_(to) {}
  std::uint8_t* at() const noexcept { return at_; }
  template <class T>
  void value(const T& value) noexcept {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  // Returns it where it lies now.
  std::string_view text(std::string_view text) noexcept {
    value(static_cast<std::uint16_t>(text.size()));
    std::uint8_t* const begin = at_;
    if (!text.empty()) std::memcpy(begin, text.data(), text.size());
    at_ += text.size();
    return {reinterpret_cast<const char*>(begin), text.size()};
  }
  // Of at most 255 bytes.
  void short_text(std::string_view text) noexcept {
    *at_++ = static_cast<std::uint8_t>(text.size());
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  std::uint8_t* at_;
};

class In {
 public:
  explicit In(const std::uint8_t* from) noexcept : at_(from) {}
  template <class T>
  T value() noexcept {
    T value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view text() noexcept { return text_of(value<std::uint16_t>()); }
  std::string_view short_text() noexcept { return text_of(value<std::uint8_t>()); }

 private:
  std::string_view text_of(std::size_t size) noexcept {
    const std::string_view text(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return text;
  }

  const std::uint8_t* at_;
};

bool is_about(const Event& event, const EventSubject& subject) noexcept {
  return event.message_id == subject.message_id && event.service == subject.service &&
         event.correlation_id == subject.correlation_id && event.node == subject.node;
}

constexpr std::size_t kLength = sizeof(std::uint16_t);  // what stands before a text

std::size_t room_of(std::string_view text, std::size_t longest) noexcept {
  return kLength + std::min(text.size(), longest);
}

// Of what every record begins with: when, what, its flags, and since when.
constexpr std::size_t kRoomOfTimes = 2 * sizeof(std::uint64_t) + sizeof(EventKind) + sizeof(std::uint8_t);

std::size_t room_of_answer(const Event& event) noexcept {
  if (event.response == Response::Kind::none) return 0;
  return sizeof(std::uint8_t) +
         (event.code.empty() ? 0 : room_of(event.code, kLongestName) + room_of(event.reason, kLongestName));
}

std::size_t room_of_subject(const Event& event) noexcept {
  return room_of(event.service, kLongestName) + room_of(event.message_id, kLongestName) +
         room_of(event.correlation_id, kLongestName) + room_of(event.node, kLongestName);
}

std::size_t room_of_details(const Event& event) noexcept {
  return room_of(event.plugin, kLongestName) + room_of(event.origin, kLongestName) +
         room_of(event.reason, EventHistory::kLongestText) + room_of(event.file, EventHistory::kLongestText);
}

}  // namespace

namespace {

// The events of a call that was told of as a whole, in their order (WholeCall). `in`: behind its flags.
class Expansion {
 public:
  Expansion(In& in, std::uint64_t ended, std::uint8_t flags) noexcept : ended_(ended), flags_(flags) {
    begun_ = in.value<std::uint64_t>();
    ran_until_ = in.value<std::uint64_t>();
    response_ = static_cast<Response::Kind>(in.value<std::uint8_t>());
    for (auto& text : texts_) text = in.short_text();
    if ((flags & kFailed) != 0) failure_ = {in.text(), in.text()};
  }
  std::uint32_t events() const noexcept { return (flags_ & kHandled) != 0 ? kEventsOfOneHandled : kEventsOfOneRefused; }

  /// Appends those from the `skipped`th on.
  void tell(std::uint64_t skipped, std::vector<KeptEvent>& out) const {
    std::uint64_t number = 0;
    const auto add = [&](EventKind kind, std::uint64_t at, std::uint64_t since) {
      if (number++ >= skipped) out.push_back(event(kind, at, since));
    };
    for (const EventKind kind :
         {EventKind::discovering_service, EventKind::service_found, EventKind::invoking_service,
          EventKind::service_request_received, EventKind::checking_if_service_call_is_authorized}) {
      add(kind, begun_, 0);
    }
    if ((flags_ & kHandled) != 0) {
      add(EventKind::executing_service, begun_, 0);
      add(EventKind::execution_finished, ran_until_, begun_);
    }
    add(EventKind::service_responded, ended_, begun_);
  }

 private:
  KeptEvent event(EventKind kind, std::uint64_t at, std::uint64_t since) const {
    KeptEvent event;
    event.kind = kind;
    event.is_public = (flags_ & kPublic) != 0;
    event.at_ticks = at;
    event.begun_ticks = since;
    event.service = texts_[0];
    event.message_id = texts_[1];
    event.correlation_id = (flags_ & kSameIds) != 0 ? texts_[1] : texts_[2];
    event.node = texts_[3];
    if (has_details(kind)) {
      event.plugin = texts_[4];
      event.origin = texts_[5];
    }
    if (kind != EventKind::service_responded) return event;
    event.response = response_;
    event.code = failure_[0];
    event.reason = failure_[1];
    return event;
  }

  const std::uint64_t ended_;
  const std::uint8_t flags_;
  std::uint64_t begun_ = 0, ran_until_ = 0;
  Response::Kind response_{};
  std::array<std::string_view, 6> texts_;  // service, id, correlation, node, plugin, origin
  std::array<std::string_view, 2> failure_;
};

}  // namespace

bool EventBlock::append(const Event& event) noexcept {
  const bool same = used_ != 0 && is_about(event, last_);
  const bool details = has_details(event.kind);
  const std::size_t room = kRoomOfTimes + room_of_answer(event) + (same ? 0 : room_of_subject(event)) +
                           (details ? room_of_details(event) : 0);
  if (used_ + room > kBytes) return false;
  Out out(bytes_.data() + used_);
  const bool answered = event.response != Response::Kind::none;
  const bool failed = answered && !event.code.empty();
  const int flags = (same ? kSameSubject : 0) | (event.is_public ? kPublic : 0) | (event.begun != 0 ? kTimed : 0) |
                    (details ? kDetails : 0) | (answered ? kAnswered : 0) | (failed ? kFailed : 0);
  out.value(event.at());
  out.value(event.kind);
  out.value(static_cast<std::uint8_t>(flags));
  if (event.begun != 0) out.value(event.begun);
  if (answered) out.value(static_cast<std::uint8_t>(event.response));
  if (failed) {
    for (const auto text : {event.code, event.reason}) out.text(cut(text, kLongestName));
  }
  if (!same) {
    last_.service = out.text(cut(event.service, kLongestName));
    last_.message_id = out.text(cut(event.message_id, kLongestName));
    last_.correlation_id = out.text(cut(event.correlation_id, kLongestName));
    last_.node = out.text(cut(event.node, kLongestName));
  }
  if (details) {
    for (const auto text : {event.plugin, event.origin}) out.text(cut(text, kLongestName));
    for (const auto text : {event.reason, event.file}) out.text(cut(text, EventHistory::kLongestText));
  }
  written_to(out.at(), 1);
  return true;
}

void EventBlock::written_to(const std::uint8_t* end, std::uint32_t events) noexcept {
  used_ = static_cast<std::uint32_t>(end - bytes_.data());
  events_.store(events_.load(std::memory_order_relaxed) + events, std::memory_order_release);
}

// Its texts are written anew each time: a call that follows has an id of its own.
bool EventBlock::append(const WholeCall& call) noexcept {
  const bool same_ids = call.correlation_id == call.message_id;
  const bool failed = !call.code.empty();
  const std::array<std::string_view, 6> texts = {call.service, call.message_id, same_ids ? "" : call.correlation_id,
                                                 call.node,    call.plugin,     call.origin};
  std::size_t room = kRoomOfTimes + sizeof(std::uint64_t) + sizeof(std::uint8_t);
  for (const auto text : texts) room += 1 + std::min(text.size(), kLongestName);
  if (failed) room += room_of(call.code, kLongestName) + room_of(call.reason, kLongestName);
  if (used_ + room > kBytes) return false;
  Out out(bytes_.data() + used_);
  const int flags = (call.is_public ? kPublic : 0) | (call.handled ? kHandled : 0) | (same_ids ? kSameIds : 0) |
                    (failed ? kFailed : 0);
  out.value(call.ended);
  out.value(kWholeCall);
  out.value(static_cast<std::uint8_t>(flags));
  out.value(call.begun);
  out.value(call.ran_until);
  out.value(static_cast<std::uint8_t>(call.response));
  for (const auto text : texts) out.short_text(cut(text, kLongestName));
  if (failed) {
    for (const auto text : {call.code, call.reason}) out.text(cut(text, kLongestName));
  }
  last_ = {};  // what follows says its subject itself
  written_to(out.at(), call.handled ? kEventsOfOneHandled : kEventsOfOneRefused);
  return true;
}

std::uint64_t EventBlock::read(std::uint64_t from, std::uint64_t cut_at, std::vector<KeptEvent>& out) const {
  const std::uint64_t there = events();
  if (from >= there) return there;
  In in(bytes_.data());
  EventSubject subject;
  for (std::uint64_t number = 0; number < there; ++number) {
    const auto at = in.value<std::uint64_t>();
    if (at >= cut_at) return number;
    const auto kind = in.value<EventKind>();
    const auto flags = in.value<std::uint8_t>();
    if (kind == kWholeCall) {
      const Expansion call(in, at, flags);
      if (number + call.events() > from) call.tell(from > number ? from - number : 0, out);
      number += call.events() - 1;
      continue;
    }
    const std::uint64_t begun = (flags & kTimed) != 0 ? in.value<std::uint64_t>() : 0;
    const auto response = static_cast<Response::Kind>((flags & kAnswered) != 0 ? in.value<std::uint8_t>() : 0);
    std::array<std::string_view, 2> failure;
    if ((flags & kFailed) != 0) failure = {in.text(), in.text()};
    if ((flags & kSameSubject) == 0) subject = {in.text(), in.text(), in.text(), in.text()};
    std::array<std::string_view, 4> details;
    if ((flags & kDetails) != 0) details = {in.text(), in.text(), in.text(), in.text()};
    if (number < from) continue;
    KeptEvent& event = out.emplace_back();
    event.kind = kind;
    event.is_public = (flags & kPublic) != 0;
    event.at_ticks = at;
    event.begun_ticks = begun;
    event.service = subject.service;
    event.message_id = subject.message_id;
    event.correlation_id = subject.correlation_id;
    event.node = subject.node;
    event.plugin = details[0];
    event.origin = details[1];
    event.reason = (flags & kFailed) != 0 ? failure[1] : details[2];
    event.code = failure[0];
    event.response = response;
    event.file = details[3];
  }
  return there;
}

}  // namespace busbar::host

// What a plugin gives a host, made of an input: right, odd, or nothing at all.
//
// Every struct, text and payload lies in memory of just its size, so that the sanitizer sees who reads further. What
// the boundary cannot survive is not made: a size without memory behind it.
#pragma once

#include <busbar/abi.h>
#include <time.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/choices.hpp"

namespace busbar::fuzz {

inline constexpr std::array<std::string_view, 8> kServices = {"pooled", "inlined", "narrow", "wide",
                                                              "hidden", "old",     "away",   "nowhere"};
inline constexpr std::array<std::string_view, 10> kWords = {
    "badrpc", "exit", "try_another_node", "overloaded", "node-1", "node-2", "node-3", "forbidden", "bad_return", "no"};

/// Somebody in another process: what its key says, if it has one, and the letter that its messages' ids begin with.
/// They are shorter than those that are made up.
struct Outsider {
  char letter;
  busbar_caller caller;
  std::string_view name;
};
inline constexpr Outsider kOtherNode{'N', BUSBAR_CALLER_NODE, "node-2"}, kDeployer{'D', BUSBAR_CALLER_DEPLOYER, "dora"},
    kStranger{'S', BUSBAR_CALLER_UNKNOWN, ""}, kForwarder{'F', BUSBAR_CALLER_NODE, "node-2"};

/// Who has sent a message, by its id; null: somebody in this process.
inline const Outsider* outsider_of(std::string_view id) noexcept {
  if (id.size() > 12) return nullptr;
  for (const Outsider* outsider : {&kOtherNode, &kDeployer, &kStranger, &kForwarder}) {
    if (id.starts_with(outsider->letter)) return outsider;
  }
  return nullptr;
}

/// A message that is smaller is that of no version.
inline constexpr std::size_t kFirstMessage = offsetof(busbar_message, caller);

/// The monotonic clock, in microseconds.
inline std::int64_t now_us() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

/// Ownership: all that it makes lives as long as it does.
class OddStructs {
 public:
  OddStructs() = default;
  OddStructs(const OddStructs&) = delete;
  OddStructs& operator=(const OddStructs&) = delete;

  /// Where a value may lie as well; null: nowhere.
  void use_buffer(busbar_buffer* buffer) noexcept { buffer_ = buffer; }

  busbar_text text(Choices& choices) {
    switch (choices.below(6)) {
      case 0:
        return {nullptr, 0};
      case 1:
        return text(choices.one_of(kWords));
      case 2:
        return text(std::string(300, 'x'));
      case 3:
        return text("\xff\x1b[2J\n");
      default:
        return text_of(choices.some());
    }
  }
  busbar_text text(std::string_view from) {
    return text_of({reinterpret_cast<const std::uint8_t*>(from.data()), from.size()});
  }

  busbar_bytes bytes(Choices& choices) {
    static constexpr std::uint8_t kMap[] = {0xa1, 0x61, 'k', 0x05}, kArray[] = {0x82, 0x01, 0x02},
                                  kEndless[] = {0x9f, 0x01}, kNeverEnds[] = {0xbf, 0x61, 'k', 0x9f};
    switch (choices.below(9)) {
      case 0:
        return {nullptr, 0};
      case 1:
        return copy(kMap);
      case 2:
        return copy(kArray);
      case 3:
        return copy(choices.flip() ? Bytes(kEndless) : Bytes(kNeverEnds));
      case 4:
        return copy(std::vector<std::uint8_t>(100, 0x81));
      case 5:
        return copy(std::vector<std::uint8_t>(5000, 0x01));
      case 6:
        return of_buffer(choices);
      default:
        return copy(choices.some());
    }
  }

  /// `mark`: its version, where it has one. May be null.
  const busbar_response* response(Choices& choices, std::int64_t mark) {
    busbar_response response{};
    response.kind = BUSBAR_RESPONSE_OK;
    response.flags = BUSBAR_RESPONSE_HAS_VERSION;
    response.version = mark;
    const unsigned odd = choices.byte();
    if ((odd & 1) != 0) response.kind = choices.below(9);
    if ((odd & 2) != 0) response.flags = choices.byte();
    if ((odd & 4) != 0) response.kind = choices.number<std::uint32_t>();
    if ((odd & 8) != 0) response.flags |= BUSBAR_RESPONSE_HAS_VALUE;
    if ((odd & 8) != 0) response.value = bytes(choices);
    if ((odd & 16) != 0) response.name = text(choices);
    if ((odd & 32) != 0) response.detail = text(choices);
    if ((odd & 64) != 0) response.text = text(choices);
    if ((odd & 128) == 0) return put(response, sizeof response);
    response.timeout_ms = choices.number<std::uint32_t>();
    return choices.below(4) == 1 ? nullptr : put(response, size_of(choices, sizeof response));
  }

  /// May be null.
  const busbar_reply* reply(Choices& choices, std::int64_t mark) {
    busbar_reply reply{};
    const unsigned odd = choices.byte();
    if ((odd & 1) != 0) reply.flags = choices.byte();
    if ((odd & 2) != 0) reply.assigns = bytes(choices);
    if ((odd & 4) != 0) reply.events = bytes(choices);
    reply.response = response(choices, mark);
    if ((odd & 8) == 0) return put(reply, sizeof reply);
    return choices.below(4) == 1 ? nullptr : put(reply, size_of(choices, sizeof reply));
  }

  /// A message to dispatch; what it asks is a script for who handles it. `id`: one that no other has. `like`: one that
  /// came from the host, to be sent on; may be null.
  const busbar_message* message(Choices& choices, std::string_view id, const busbar_message* like) {
    busbar_message message{};
    message.valid = 1;
    const unsigned odd = choices.byte();
    if ((odd & 1) != 0 && like != nullptr) message = *like;
    message.service_name = text(choices.one_of(kServices));
    message.id = text(id);
    message.raw_request = copy(choices.some());
    if ((odd & 2) != 0) odd_names(choices, message);
    if ((odd & 4) != 0) odd_payloads(choices, message);
    if ((odd & 8) != 0) message.deadline_us = deadline(choices);
    if ((odd & 16) != 0) message.dry_run = static_cast<std::uint8_t>(choices.below(4));
    if ((odd & 32) != 0) message.response = response(choices, 0);
    if ((odd & 64) != 0) message.halted = choices.byte();
    if ((odd & 128) == 0) return put(message, sizeof message);
    message.valid = choices.byte();
    message.invoked_at_us = choices.number<std::int64_t>();
    return put(message, size_of(choices, sizeof message));
  }

  /// May be null.
  const busbar_dispatch_options* options(Choices& choices) {
    busbar_dispatch_options options{};
    const unsigned odd = choices.byte();
    if ((odd & 1) == 0) return nullptr;
    if ((odd & 2) != 0) options.timeout_ms = choices.number<std::uint32_t>();
    if ((odd & 4) != 0) options.strategy = choices.number<std::uint32_t>();
    if ((odd & 8) != 0) options.sticky_key = text(choices);
    return put(options, (odd & 16) != 0 ? size_of(choices, sizeof options) : sizeof options);
  }

  /// The first `size` bytes of it, or all and what a later version has behind them.
  template <class Struct>
  const Struct* put(const Struct& from, std::size_t size) {
    std::uint8_t* to = room(std::max(size, sizeof(std::uint32_t)));
    std::memset(to, 0xee, size);
    std::memcpy(to, &from, std::min(size, sizeof from));
    const auto struct_size = static_cast<std::uint32_t>(size);
    std::memcpy(to, &struct_size, sizeof struct_size);
    return reinterpret_cast<const Struct*>(to);
  }
  busbar_text text_of(Bytes from) {
    const busbar_bytes copied = copy(from);
    return {reinterpret_cast<const char*>(copied.data), copied.size};
  }

 private:
  static std::size_t size_of(Choices& choices, std::size_t right) noexcept {
    switch (choices.below(4)) {
      case 0:
        return right + 8;
      case 1:
        return right - 8;
      default:
        return choices.byte();
    }
  }
  // Long gone, just now, or never.
  static std::int64_t deadline(Choices& choices) noexcept {
    const unsigned in = choices.below(4);
    if (in == 0) return 1;
    return in == 1 ? choices.number<std::int64_t>() : now_us() + 2 * choices.byte();
  }
  void odd_names(Choices& choices, busbar_message& message) {
    const unsigned which = choices.byte();
    if ((which & 1) != 0) message.service_name = text(choices);
    if ((which & 2) != 0) message.id = id(choices);
    if ((which & 4) != 0) message.correlation_id = text(choices);
    if ((which & 8) != 0) message.causation_id = text(choices);
    if ((which & 16) != 0) message.origin_node = text(choices);
    if ((which & 32) != 0) message.caller = choices.number<std::uint32_t>();
    if ((which & 64) != 0) message.caller_name = text(choices);
  }
  busbar_text id(Choices& choices) {
    const busbar_text out = text(choices);
    return outsider_of({out.data, out.size}) != nullptr ? busbar_text{nullptr, 0} : out;
  }
  void odd_payloads(Choices& choices, busbar_message& message) {
    const unsigned which = choices.byte();
    if ((which & 1) != 0) message.request = bytes(choices);
    if ((which & 2) != 0) message.assigns = bytes(choices);
    if ((which & 4) != 0) message.events = bytes(choices);
    if ((which & 8) != 0) message.logger_metadata = bytes(choices);
    if ((which & 16) != 0) message.aggregate_meta = bytes(choices);
  }

  busbar_bytes copy(Bytes from) {
    if (from.empty()) return {nullptr, 0};
    std::uint8_t* to = room(from.size());
    std::memcpy(to, from.data(), from.size());
    return {to, from.size()};
  }
  busbar_bytes of_buffer(Choices& choices) const noexcept {
    if (buffer_ == nullptr || buffer_->size == 0) return {nullptr, 0};
    const std::size_t from = choices.byte() % buffer_->size;
    return {buffer_->data + from, buffer_->size - from};
  }
  std::uint8_t* room(std::size_t size) { return memory_.emplace_back(std::make_unique<std::uint8_t[]>(size)).get(); }

  std::vector<std::unique_ptr<std::uint8_t[]>> memory_;
  busbar_buffer* buffer_ = nullptr;
};

}  // namespace busbar::fuzz

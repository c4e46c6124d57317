#include "dispatch/foreign_response.hpp"

#include <busbar/names.hpp>

#include "log/text.hpp"

namespace busbar::host {

namespace {

bool is_text(busbar_text text) noexcept { return cbor::detail::is_utf8(text.data, text.size); }

// What makes a plugin's response none, in words; empty: nothing.
std::string_view fault_of(const busbar_response& response) noexcept {
  if (!is_text(response.name) || !is_text(response.detail)) return "the response has text that is not UTF-8";
  if (response.kind != BUSBAR_RESPONSE_ERROR) return {};
  const std::string_view code(response.name.data, response.name.size);
  if (!is_error_code(code)) return "the response is an error whose code does not match [a-z][a-z0-9_]{0,63}";
  if (code != code::kBadRpc) return {};
  const std::string_view kind(response.detail.data, response.detail.size);
  for (const auto known : {badrpc::kExit, badrpc::kNodedown, badrpc::kTimeout, badrpc::kBadReturn, badrpc::kUnloaded}) {
    if (kind == known) return {};
  }
  return "the response is a badrpc of a kind that there is not";
}

}  // namespace

bool is_item(std::span<const std::uint8_t> bytes, cbor::detail::Major kind) noexcept {
  try {
    cbor::detail::Reader reader(bytes);
    const auto head = reader.item_head(0);
    reader.skip_body(head, 0);
    reader.expect_end();
    return head.major() == kind;
  } catch (const std::exception&) {
    return false;
  }
}

void take_response(Response& to, const busbar_response& from, Payload&& value) {
  if (const auto fault = fault_of(from); !fault.empty()) [[unlikely]] {
    to = Response::bad_rpc(badrpc::kBadReturn, fault);
    return;
  }
  if (from.text.size == 0 || is_text(from.text)) [[likely]] {
    to.assign(from, std::move(value));
    return;
  }
  busbar_response shown = from;  // somebody else's words, such as an exception's
  std::string text;
  append_printable(text, {from.text.data, from.text.size});
  shown.text = {text.data(), text.size()};
  to.assign(shown, std::move(value));
}

}  // namespace busbar::host

// Responses that somebody else made: a plugin, or another node.
#pragma once

#include <busbar/abi.h>
#include <busbar/cbor/reader.hpp>
#include <busbar/payload.hpp>
#include <busbar/response.hpp>

#include <cstdint>
#include <span>

namespace busbar::host {

/// Makes `to` what `from` says, owning it, with `value` in place of the view's. What breaks a rule of the contract
/// becomes badrpc(bad_return) (C-D7); a text for people that is not UTF-8 is shown as far as it can be. Errors:
/// std::bad_alloc.
void take_response(Response& to, const busbar_response& from, Payload&& value);

/// Whether the bytes are one whole item of this kind: others will read them long after their sender was told that its
/// answer is good.
bool is_item(std::span<const std::uint8_t> bytes, cbor::detail::Major kind) noexcept;

}  // namespace busbar::host

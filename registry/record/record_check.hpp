// What a record must look like to be believed.
#pragma once

#include <busbar/registry/record.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace busbar::registry {

inline constexpr std::size_t kMaxServices = 100'000;  ///< of one node
inline constexpr std::size_t kMaxAddress = 256;       ///< bytes
/// Higher ones are refused, so that there is always a next one.
inline constexpr std::uint64_t kMaxIncarnation = std::uint64_t{1} << 62;

/// Whether `address` may be dialled: `transport://rest`, printable ASCII without blanks, at most kMaxAddress bytes.
bool is_address(std::string_view address);

/// What is wrong with a record, as "<what>: expected <this>, found <that>"; empty: nothing. Records that pass are
/// canonical: names by the rules, the services in the order of their names and none twice, nothing beyond the limits.
std::string fault_of(const NodeRecord& record);

}  // namespace busbar::registry

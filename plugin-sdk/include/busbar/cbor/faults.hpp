// Collecting what does not fit, with the path to it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/reader.hpp"

namespace busbar::cbor::detail {

/// One step of the way from the payload to the value being read. The steps live on the stack and become text only when
/// there is a fault.
struct PathNode {
  PathNode* parent = nullptr;
  const char* name = nullptr;  // null: `index` counts
  std::size_t size = 0;
  std::uint64_t index = 0;
};

enum : std::size_t { kMaxFaults = 256, kMaxQuoted = 64 };

/// At most kMaxQuoted bytes of a text, cut between characters.
inline std::string shortened(std::string_view text) {
  if (text.size() <= kMaxQuoted) return std::string(text);
  std::size_t size = kMaxQuoted;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return std::string(text.substr(0, size)) + "…";
}

inline std::string quoted(std::string_view text) { return "text \"" + shortened(text) + "\""; }

/// Makes `choices` "one of a, b, c", name by name.
inline void add_choice(std::string& choices, std::string_view name) {
  choices += choices.empty() ? "one of " : ", ";
  choices += name;
}

inline std::string path_text(const PathNode* node) {
  if (node == nullptr) return {};
  std::string path = path_text(node->parent);
  if (node->name == nullptr) return path + "[" + std::to_string(node->index) + "]";
  if (!path.empty()) path += '.';
  return path + shortened({node->name, node->size});
}

/// What `found` says of the next item: its kind, and a number's value. Never a text's: it may be a secret.
inline std::string describe(Reader& reader, unsigned depth) {
  const Head item = reader.item_head(depth);
  const std::string count = item.indefinite() ? std::string() : " of " + std::to_string(item.value);
  switch (item.major()) {
    case kUnsigned:
      return "integer " + std::to_string(item.value);
    case kNegative:
      // -1 - n for n up to 2^64 - 1, in decimal
      return item.value == ~std::uint64_t{0} ? "integer -18446744073709551616"
                                             : "integer -" + std::to_string(item.value + 1);
    case kBytes:
      return "bytes";
    case kText:
      return "text";
    case kArray:
      return "array" + count;
    case kMap:
      return "map";
    default:
      break;
  }
  if (item.first == kFalse) return "false";
  if (item.first == kTrue) return "true";
  if (item.first == kNull || item.first == kUndefined) return "null";
  if (!is_float(item)) return "simple value " + std::to_string(item.value);
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", to_double(item));
  return "number " + std::string(text);
}

/// The faults of one decoding. Costs nothing until there is one.
class Faults {
 public:
  [[gnu::noinline, gnu::cold]] void add(const PathNode* path, std::string_view expected, std::string_view found) {
    if (list_ == nullptr) list_ = std::make_unique<std::vector<FieldError>>();
    ++count_;
    if (!full()) list_->push_back({path_text(path), std::string(expected), std::string(found)});
  }

  bool any() const noexcept { return count_ != 0; }
  std::size_t count() const noexcept { return count_; }

  /// More faults are known than are listed: there is no point in looking for others.
  bool full() const noexcept { return count_ > kMaxFaults; }

  /// Errors: DecodeError when there is any.
  void finish() {
    if (any()) [[unlikely]]
      report();
  }

 private:
  [[noreturn, gnu::noinline, gnu::cold]] void report() { throw DecodeError(std::move(*list_), !full()); }

  std::unique_ptr<std::vector<FieldError>> list_;
  std::size_t count_ = 0;
};

}  // namespace busbar::cbor::detail

// A short text that can be borrowed, kept in place, or owned: what a message's names and ids are made of.
#pragma once

#include <busbar/abi.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace busbar {

/// Text that costs no allocation when it is short (a 22-character id, most service names) or borrowed.
/// Ownership: `Text(view)` and copying own their characters, so that a copied message outlives the call that it came
/// from; `borrow` does not, and moving keeps whichever it was. Threads: as for any value.
class Text {
 public:
  Text() noexcept {}  // NOLINT: what is not in use of the union stays as it is
  explicit Text(std::string_view text) { assign(text); }
  static Text borrow(std::string_view text) noexcept {
    Text out;
    out.size_ = static_cast<std::uint32_t>(text.size());
    out.kind_ = Kind::borrowed;
    out.pointer_ = text.data();
    return out;
  }
  /// As many characters as `Size`, which `write` puts where they stay.
  template <std::size_t Size, class Write>
  static Text written(Write write) {
    static_assert(Size <= kInPlace);
    Text out;
    out.size_ = Size;
    write(out.in_place_);
    return out;
  }
  static Text borrow(busbar_text text) noexcept { return borrow(std::string_view(text.data, text.size)); }

  Text(const Text& other) { assign(other.view()); }
  Text(Text&& other) noexcept { take(other); }
  Text& operator=(const Text& other) {
    if (this != &other) *this = Text(other);
    return *this;
  }
  Text& operator=(Text&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~Text() { release(); }

  std::string_view view() const noexcept { return {kind_ == Kind::in_place ? in_place_ : pointer_, size_}; }
  busbar_text c_text() const noexcept { return {kind_ == Kind::in_place ? in_place_ : pointer_, size_}; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  enum class Kind : std::uint8_t { in_place, borrowed, owned };
  static constexpr std::size_t kInPlace = 24;

  void assign(std::string_view text) {
    size_ = static_cast<std::uint32_t>(text.size());
    if (text.size() <= kInPlace) {
      kind_ = Kind::in_place;
      if (!text.empty()) std::memcpy(in_place_, text.data(), text.size());
      return;
    }
    char* copy = new char[text.size()];
    std::memcpy(copy, text.data(), text.size());
    pointer_ = copy;
    kind_ = Kind::owned;
  }
  void take(Text& other) noexcept {
    // All bytes, whichever of them mean something: the pointer lies in the same ones.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
    std::memcpy(in_place_, other.in_place_, sizeof in_place_);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
    size_ = other.size_;
    kind_ = other.kind_;
    other.size_ = 0;
    other.kind_ = Kind::in_place;
  }
  void release() noexcept {
    if (kind_ == Kind::owned) delete[] pointer_;
  }

  union {
    const char* pointer_;
    char in_place_[kInPlace];
  };
  std::uint32_t size_ = 0;
  Kind kind_ = Kind::in_place;
};

}  // namespace busbar

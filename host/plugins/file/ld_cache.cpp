#include "plugins/file/ld_cache.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace busbar::host {

namespace {

constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
constexpr std::string_view kOldMagic = "ld.so-1.7.0";
constexpr std::size_t kHeaderSize = 48;
constexpr std::size_t kEntrySize = 24;
constexpr std::size_t kOldHeaderSize = 16;
constexpr std::size_t kOldEntrySize = 12;
constexpr std::size_t kLargest = 64 * 1024 * 1024;
constexpr std::uint32_t kFlagsKind = 0xff;
constexpr std::uint32_t kElfLibc6 = 3;

std::uint32_t number_at(const std::vector<std::uint8_t>& bytes, std::size_t offset) {
  std::uint32_t out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

bool has_at(const std::vector<std::uint8_t>& bytes, std::size_t offset, std::string_view text) {
  return offset <= bytes.size() && bytes.size() - offset >= text.size() &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

}  // namespace

LdCache::LdCache(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {
  if (has_at(bytes_, 0, kOldMagic) && bytes_.size() >= kOldHeaderSize) {
    // An older list may stand in front, for loaders of the last century; ours follows at the next multiple of 8.
    const std::size_t old_end = kOldHeaderSize + std::size_t{number_at(bytes_, 12)} * kOldEntrySize;
    header_ = (old_end + 7) & ~std::size_t{7};
  }
  if (!has_at(bytes_, header_, kMagic) || bytes_.size() - header_ < kHeaderSize) return;
  const std::size_t possible = (bytes_.size() - header_ - kHeaderSize) / kEntrySize;
  count_ = std::min<std::size_t>(number_at(bytes_, header_ + kMagic.size()), possible);
}

LdCache LdCache::of_system() {
  std::ifstream file("/etc/ld.so.cache", std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::streamoff>(file.tellg());
  if (size <= 0) return {};
  std::vector<std::uint8_t> bytes(std::min<std::size_t>(static_cast<std::size_t>(size), kLargest));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return LdCache(std::move(bytes));
}

std::string_view LdCache::text_at(std::size_t offset) const {
  const std::size_t at = header_ + offset;
  if (at >= bytes_.size()) return {};
  const char* begin = reinterpret_cast<const char*>(bytes_.data()) + at;
  return {begin, strnlen(begin, bytes_.size() - at)};
}

std::vector<std::filesystem::path> LdCache::find(std::string_view soname) const {
  std::vector<std::filesystem::path> out;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::size_t entry = header_ + kHeaderSize + i * kEntrySize;
    if ((number_at(bytes_, entry) & kFlagsKind) != kElfLibc6) continue;
    // There are hundreds of entries: this one's name need not be measured.
    const std::size_t name = header_ + number_at(bytes_, entry + 4);
    const std::size_t end = name + soname.size();
    if (has_at(bytes_, name, soname) && end < bytes_.size() && bytes_[end] == 0)
      out.emplace_back(text_at(number_at(bytes_, entry + 8)));
  }
  return out;
}

}  // namespace busbar::host

#include "dev/plugin_note.hpp"

#include <busbar/abi.h>
#include <elf.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::cli {

namespace {

constexpr std::size_t kMostNotes = 1 << 20;  // bytes; they have some hundred

template <class T>
std::optional<T> read_at(std::ifstream& file, std::uint64_t offset) {
  T out;
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char*>(&out), sizeof out)) return std::nullopt;
  return out;
}

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

bool is_among(std::string_view notes) {
  const std::string_view wanted(BUSBAR_NOTE_OWNER, sizeof(BUSBAR_NOTE_OWNER));  // with the 0 behind it
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof note);
    const std::size_t size = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (note.n_type == BUSBAR_NOTE_TYPE && notes.substr(sizeof note, note.n_namesz) == wanted) return true;
    notes.remove_prefix(std::min(size, notes.size()));
  }
  return false;
}

}  // namespace

bool has_plugin_note(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) {
    return false;
  }
  for (std::size_t i = 0; i < header->e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(file, header->e_phoff + i * header->e_phentsize);
    if (!segment) return false;
    if (segment->p_type != PT_NOTE || segment->p_filesz > kMostNotes) continue;
    std::string notes(segment->p_filesz, '\0');
    file.seekg(static_cast<std::streamoff>(segment->p_offset));
    if (!file.read(notes.data(), static_cast<std::streamsize>(notes.size()))) return false;
    if (is_among(notes)) return true;
  }
  return false;
}

}  // namespace busbar::cli

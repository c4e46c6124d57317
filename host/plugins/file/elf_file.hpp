#pragma once

#include <busbar/abi.h>
#include <gelf.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/file/descriptor_guard.hpp"

namespace busbar::host {

/// Why a file is no library that could be read, in words that follow its name.
class FileProblem : public std::runtime_error {
 public:
  FileProblem(const std::string& what, bool incomplete) : std::runtime_error(what), incomplete_(incomplete) {}
  /// Whether a file that is still being written may look like this.
  bool incomplete() const { return incomplete_; }

 private:
  bool incomplete_;
};

/// What the dynamic section tells the system's loader.
struct DynamicFacts {
  std::vector<std::string> needed;
  std::string soname;
  std::string rpath;
  std::string runpath;
  std::uint64_t flags = 0;
  std::uint64_t flags_1 = 0;
};

/// An entry of the dynamic symbol table. The views are valid while the file is open.
struct ElfSymbol {
  std::string_view name;
  std::string_view version;  ///< empty: none
  unsigned char binding = STB_LOCAL;
  unsigned char type = STT_NOTYPE;
  unsigned char visibility = STV_DEFAULT;
  std::uint16_t section = SHN_UNDEF;
  std::uint64_t value = 0;
  std::uint64_t size = 0;

  bool defined() const { return section != SHN_UNDEF; }
};

/// A version that the library asks of another one.
struct VersionNeed {
  std::string library;
  std::string version;
  bool weak = false;
};

/// A shared library of this machine's kind, read piece by piece.
/// Nothing is mapped, so that whoever cuts the file meanwhile causes a read that fails and not a signal; every offset
/// and count is held against the file's size before it is used.
/// Threads: one at a time for one object.
class ElfFile {
 public:
  /// Errors: FileProblem for anything but a complete ELF file of this machine's architecture.
  explicit ElfFile(const std::filesystem::path& path);
  ElfFile(ElfFile&&) noexcept = default;
  ElfFile& operator=(ElfFile&&) noexcept = default;

  const std::filesystem::path& path() const { return path_; }
  std::uint16_t type() const { return header_.e_type; }
  const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  const DynamicFacts& dynamic() const { return dynamic_; }

  /// Calls `visit` for each dynamic symbol that has a name.
  void for_each_symbol(const std::function<void(const ElfSymbol&)>& visit) const;
  /// The same of the linker's table, which has local ones too, and is not there in a file that was stripped. Without
  /// versions.
  void for_each_linker_symbol(const std::function<void(const ElfSymbol&)>& visit) const;
  /// The versions that the library defines; empty: it knows no versions, and any will do.
  std::vector<std::string> defined_versions() const;
  std::vector<VersionNeed> needed_versions() const;
  /// A section's content, or nothing when there is none of that name. Errors: FileProblem when it is larger than that.
  std::optional<std::vector<std::uint8_t>> section(std::string_view name, std::size_t at_most) const;
  /// Whether the bytes there are all zero or not in the file at all.
  bool blank_at(std::uint64_t address, std::size_t size) const;

 private:
  struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
  };

  /// A table of texts that other tables refer into.
  struct Texts {
    const char* begin;
    std::size_t size;
    std::string_view at(std::size_t offset, std::size_t at_most = 64 * 1024) const;
  };

  void open();
  void check_identity() const;
  void read_segments();
  void check_sections();
  void read_dynamic();
  std::vector<std::uint8_t> read_at(std::uint64_t offset, std::size_t size) const;
  void check_inside(std::uint64_t offset, std::uint64_t size, const std::string& what) const;
  Elf_Scn* find_section(std::uint32_t type, GElf_Shdr& header) const;
  Elf_Data* data_of(Elf_Scn* section) const;
  Texts texts_of(std::size_t string_section) const;
  static bool read_symbol(Elf_Data* data, int index, const Texts& names, ElfSymbol& out);
  std::vector<std::string_view> version_names() const;

  std::filesystem::path path_;
  DescriptorGuard descriptor_;
  std::uint64_t size_ = 0;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::unique_ptr<Elf, EndElf> elf_;
  DynamicFacts dynamic_;
};

/// The descriptor in the note of a plugin's file.
/// Errors: FileProblem when there is none, more than one, or one of another plugin ABI than this host's.
busbar_descriptor read_descriptor(const ElfFile& file);
busbar_descriptor read_descriptor(const std::filesystem::path& path);

}  // namespace busbar::host

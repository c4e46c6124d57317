#include "plugins/file/elf_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "plugins/file/service_facts.hpp"

namespace busbar::host {

namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint16_t kMachine = EM_RISCV;
#else
#error "name this architecture here, and in machine_name below; it must be a little-endian one of 64 bits"
#endif

constexpr std::uint64_t kLargestFile = 1ULL << 30;
/// Of tables that are read whole (symbols, names, versions). The largest seen in practice have some 20 MiB.
constexpr std::uint64_t kLargestTable = 64ULL << 20;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestVersion = 255;
constexpr std::size_t kMostNeeded = 1000;
constexpr int kMostVersions = 20'000;
constexpr std::size_t kBlank = 4096;

std::string machine_name(unsigned machine) {
  switch (machine) {
    case EM_386:
      return "i386";
    case EM_X86_64:
      return "x86_64";
    case EM_ARM:
      return "arm";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    case EM_MIPS:
      return "mips";
    case EM_LOONGARCH:
      return "loongarch";
    default:
      return "machine " + std::to_string(machine);
  }
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool looks_like_text(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) {
    return byte >= 0x20 ? byte != 0x7f : (byte >= '\t' && byte <= '\r') || byte == 0x1b;
  });
}

template <class T>
T take(std::span<const std::uint8_t> bytes, std::size_t offset) {
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

std::string of_file(std::uint64_t size) { return ", but the file has " + std::to_string(size) + " bytes"; }

}  // namespace

ElfFile::ElfFile(const std::filesystem::path& path) : path_(path) {
  open();
  check_identity();
  header_ = take<Elf64_Ehdr>(read_at(0, sizeof(Elf64_Ehdr)), 0);
  if (header_.e_type != ET_DYN && header_.e_type != ET_EXEC) {
    throw FileProblem(header_.e_type == ET_REL    ? "is an object file, not a shared library"
                      : header_.e_type == ET_CORE ? "is a core dump, not a shared library"
                                                  : "is an ELF file, but not a shared library",
                      false);
  }
  read_segments();
  check_sections();
  elf_version(EV_CURRENT);
  elf_.reset(elf_begin(descriptor_.get(), ELF_C_READ, nullptr));  // not …_MMAP: see the class's comment
  if (!elf_) throw FileProblem(std::string("cannot be read as ELF: ") + elf_errmsg(-1), true);
  read_dynamic();
}

void ElfFile::open() {
  // Non-blocking, so that a named pipe cannot hold us.
  descriptor_ = DescriptorGuard(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat facts {};
  if (!descriptor_.valid() || fstat(descriptor_.get(), &facts) != 0) {
    const int error = errno;
    const bool dangles = error == ENOENT && lstat(path_.c_str(), &facts) == 0;
    throw FileProblem(
        dangles ? "is a symlink to a file that does not exist" : std::string("cannot be read: ") + std::strerror(error),
        false);
  }
  if (S_ISDIR(facts.st_mode)) throw FileProblem("is a directory", false);
  if (!S_ISREG(facts.st_mode)) throw FileProblem("is not a regular file", false);
  size_ = static_cast<std::uint64_t>(facts.st_size);
  if (size_ == 0) throw FileProblem("is empty", true);
  if (size_ > kLargestFile) {
    throw FileProblem("has " + std::to_string(size_) + " bytes, at most " + std::to_string(kLargestFile) + " are read",
                      false);
  }
}

void ElfFile::check_identity() const {
  const auto start = read_at(0, static_cast<std::size_t>(std::min<std::uint64_t>(size_, 512)));
  if (start.size() < SELFMAG || std::memcmp(start.data(), ELFMAG, SELFMAG) != 0) {
    if (all_zero(start)) throw FileProblem("is not an ELF file: it begins with zeros", true);
    if (looks_like_text(start)) throw FileProblem("is a text file, not an ELF library", false);
    throw FileProblem(
        "is not an ELF file: it begins with \"" +
            printable({reinterpret_cast<const char*>(start.data()), std::min<std::size_t>(start.size(), 4)}) + "\"",
        false);
  }
  if (start.size() < sizeof(Elf64_Ehdr)) {
    throw FileProblem(
        "is cut short: an ELF header has " + std::to_string(sizeof(Elf64_Ehdr)) + " bytes" + of_file(size_), true);
  }
  const bool swapped = start[EI_DATA] == ELFDATA2MSB;
  const unsigned machine =
      swapped ? start[18] << 8 | start[19] : start[19] << 8 | start[18];  // e_machine, either class
  if (machine == 0) throw FileProblem("is built for no machine: its header is damaged", true);
  if (machine != kMachine || start[EI_CLASS] != ELFCLASS64 || start[EI_DATA] != ELFDATA2LSB) {
    const bool usual = start[EI_CLASS] == ELFCLASS64 && start[EI_DATA] == ELFDATA2LSB;
    const std::string kind = usual ? ""
                                   : std::string(start[EI_CLASS] == ELFCLASS32   ? " (32 bits"
                                                 : start[EI_CLASS] == ELFCLASS64 ? " (64 bits"
                                                                                 : " (an unknown class") +
                                         (swapped ? ", big-endian)" : ")");
    throw FileProblem("is built for " + machine_name(machine) + kind + ", this host is " + machine_name(kMachine),
                      false);
  }
}

std::vector<std::uint8_t> ElfFile::read_at(std::uint64_t offset, std::size_t size) const {
  std::vector<std::uint8_t> out(size);
  for (std::size_t done = 0; done < size;) {
    const ssize_t count = pread(descriptor_.get(), out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw FileProblem(std::string("cannot be read: ") + std::strerror(errno), false);
    if (count == 0) throw FileProblem("became shorter while it was read", true);
    done += static_cast<std::size_t>(count);
  }
  return out;
}

void ElfFile::check_inside(std::uint64_t offset, std::uint64_t size, const std::string& what) const {
  if (offset <= size_ && size <= size_ - offset) return;
  const std::string end = offset + size < offset ? "beyond any file" : "at byte " + std::to_string(offset + size);
  throw FileProblem("is cut short: " + what + " ends " + end + of_file(size_), true);
}

void ElfFile::read_segments() {
  if (header_.e_phnum == 0 || header_.e_phnum == PN_XNUM || header_.e_phentsize != sizeof(Elf64_Phdr)) {
    throw FileProblem("has no table of segments that can be read", false);
  }
  check_inside(header_.e_phoff, header_.e_phnum * sizeof(Elf64_Phdr), "its table of segments");
  const auto bytes = read_at(header_.e_phoff, header_.e_phnum * sizeof(Elf64_Phdr));
  bool any_loaded = false;
  for (std::size_t i = 0; i < header_.e_phnum; ++i) {
    const auto segment = take<Elf64_Phdr>(bytes, i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_NULL) {
      check_inside(segment.p_offset, segment.p_filesz, "segment " + std::to_string(i));
    }
    any_loaded |= segment.p_type == PT_LOAD;
    segments_.push_back(segment);
  }
  if (!any_loaded) throw FileProblem("has no segment to load", all_zero(bytes));
}

void ElfFile::check_sections() {
  if (header_.e_shoff == 0 || header_.e_shnum == 0 || header_.e_shentsize != sizeof(Elf64_Shdr)) {
    throw FileProblem("has no table of sections that can be read", false);
  }
  const std::size_t table_size = header_.e_shnum * sizeof(Elf64_Shdr);
  check_inside(header_.e_shoff, table_size, "its table of sections");
  const auto bytes = read_at(header_.e_shoff, table_size);
  if (all_zero(bytes)) {
    throw FileProblem("is incomplete: its table of sections, at the file's end, is all zeros", true);
  }
  for (std::size_t i = 0; i < header_.e_shnum; ++i) {
    const auto section = take<Elf64_Shdr>(bytes, i * sizeof(Elf64_Shdr));
    if (i > 0 && section.sh_type == SHT_NULL) {
      throw FileProblem("is incomplete: section " + std::to_string(i) + " of its table is zeros", true);
    }
    if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL) {
      check_inside(section.sh_offset, section.sh_size, "section " + std::to_string(i));
    }
  }
}

Elf_Scn* ElfFile::find_section(std::uint32_t type, GElf_Shdr& header) const {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf_.get(), section)) != nullptr) {
    if (gelf_getshdr(section, &header) != nullptr && header.sh_type == type) return section;
  }
  return nullptr;
}

Elf_Data* ElfFile::data_of(Elf_Scn* section) const {
  GElf_Shdr header;
  if (gelf_getshdr(section, &header) == nullptr || header.sh_size > kLargestTable) {
    throw FileProblem("has a table of more than " + std::to_string(kLargestTable) + " bytes", false);
  }
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) throw FileProblem("has a table that cannot be read", true);
  return data;
}

ElfFile::Texts ElfFile::texts_of(std::size_t string_section) const {
  Elf_Scn* section = elf_getscn(elf_.get(), string_section);
  GElf_Shdr header;
  if (section == nullptr || gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_STRTAB) {
    throw FileProblem("has a table whose names are missing", true);
  }
  const Elf_Data* data = data_of(section);
  return {static_cast<const char*>(data->d_buf), data->d_size};
}

std::string_view ElfFile::Texts::at(std::size_t offset, std::size_t at_most) const {
  if (offset >= size) throw FileProblem("has a name that lies outside its table", true);
  const std::size_t length = strnlen(begin + offset, std::min(size - offset, at_most + 1));
  if (length > at_most) {
    throw FileProblem("has a name of more than " + std::to_string(at_most) + " bytes in its tables", false);
  }
  return {begin + offset, length};
}

void ElfFile::read_dynamic() {
  GElf_Shdr header;
  Elf_Scn* section = find_section(SHT_DYNAMIC, header);
  if (section == nullptr) throw FileProblem("has no dynamic section: it cannot be loaded", false);
  Elf_Data* data = data_of(section);
  GElf_Dyn entry{};
  int count = 0;
  for (; gelf_getdyn(data, count, &entry) != nullptr && entry.d_tag != DT_NULL; ++count) {
    const auto text = [&] { return std::string(texts_of(header.sh_link).at(entry.d_un.d_val, kLongestPath)); };
    if (entry.d_tag == DT_NEEDED) dynamic_.needed.push_back(text());
    if (entry.d_tag == DT_SONAME) dynamic_.soname = text();
    if (entry.d_tag == DT_RPATH) dynamic_.rpath = text();
    if (entry.d_tag == DT_RUNPATH) dynamic_.runpath = text();
    if (entry.d_tag == DT_FLAGS) dynamic_.flags = entry.d_un.d_val;
    if (entry.d_tag == DT_FLAGS_1) dynamic_.flags_1 = entry.d_un.d_val;
  }
  if (dynamic_.needed.size() > kMostNeeded) {
    throw FileProblem("asks for " + std::to_string(dynamic_.needed.size()) + " libraries, at most " +
                          std::to_string(kMostNeeded) + " are looked for",
                      false);
  }
  if (count == 0) throw FileProblem("is incomplete: its dynamic section is empty", true);
}

void ElfFile::for_each_symbol(const std::function<void(const ElfSymbol&)>& visit) const {
  GElf_Shdr header;
  Elf_Scn* section = find_section(SHT_DYNSYM, header);
  if (section == nullptr) return;
  Elf_Data* data = data_of(section);
  GElf_Shdr versions_header;
  Elf_Scn* versions_section = find_section(SHT_GNU_versym, versions_header);
  Elf_Data* versions = versions_section == nullptr ? nullptr : data_of(versions_section);
  const std::vector<std::string_view> names = version_names();

  const Texts texts = texts_of(header.sh_link);
  ElfSymbol symbol;
  for (int i = 1; read_symbol(data, i, texts, symbol); ++i) {
    if (symbol.name.empty()) continue;
    symbol.version = {};
    GElf_Versym version = 0;
    if (versions != nullptr && gelf_getversym(versions, i, &version) != nullptr) {
      const std::size_t index = version & 0x7fff;  // the highest bit hides the symbol from links, not from lookups
      if (index < names.size()) symbol.version = names[index];
    }
    visit(symbol);
  }
}

void ElfFile::for_each_linker_symbol(const std::function<void(const ElfSymbol&)>& visit) const {
  GElf_Shdr header;
  Elf_Scn* section = find_section(SHT_SYMTAB, header);
  if (section == nullptr) return;
  Elf_Data* data = data_of(section);
  const Texts texts = texts_of(header.sh_link);
  ElfSymbol symbol;
  for (int i = 1; read_symbol(data, i, texts, symbol); ++i) {
    if (!symbol.name.empty()) visit(symbol);
  }
}

// False: there is none of that index.
bool ElfFile::read_symbol(Elf_Data* data, int index, const Texts& names, ElfSymbol& out) {
  GElf_Sym symbol;
  if (gelf_getsym(data, index, &symbol) == nullptr) return false;
  out.name = names.at(symbol.st_name);
  out.binding = GELF_ST_BIND(symbol.st_info);
  out.type = GELF_ST_TYPE(symbol.st_info);
  out.visibility = GELF_ST_VISIBILITY(symbol.st_other);
  out.section = symbol.st_shndx;
  out.value = symbol.st_value;
  out.size = symbol.st_size;
  return true;
}

namespace {

/// Walks one of the two chained tables of versions: `read` reads the entry at an offset and returns the distance to
/// the next, 0 at the end. Entries are counted in `budget`, as a table of chains that overlap could be walked for
/// hours.
void walk_chain(const Elf_Data* data, std::uint64_t offset, int& budget,
                const std::function<std::uint32_t(int)>& read) {
  while (offset < data->d_size) {
    if (--budget < 0) throw FileProblem("has a table of versions that does not end", false);
    const std::uint32_t next = read(static_cast<int>(offset));
    if (next == 0) return;
    offset += next;
  }
}

}  // namespace

std::vector<std::string_view> ElfFile::version_names() const {
  std::vector<std::string_view> names;
  int budget = kMostVersions;
  const auto name = [&](std::size_t index, std::string_view text) {
    if (index >= names.size()) names.resize(index + 1);
    names[index] = text;
  };
  GElf_Shdr header;
  if (Elf_Scn* section = find_section(SHT_GNU_verdef, header)) {
    Elf_Data* data = data_of(section);
    walk_chain(data, 0, budget, [&](int offset) -> std::uint32_t {
      GElf_Verdef definition;
      GElf_Verdaux first;
      if (gelf_getverdef(data, offset, &definition) == nullptr) return 0;
      const std::uint64_t at = static_cast<std::uint64_t>(offset) + definition.vd_aux;
      // The base definition names the file, not a version.
      if ((definition.vd_flags & VER_FLG_BASE) == 0 && at < data->d_size &&
          gelf_getverdaux(data, static_cast<int>(at), &first) != nullptr) {
        name(definition.vd_ndx & 0x7fff, texts_of(header.sh_link).at(first.vda_name, kLongestVersion));
      }
      return definition.vd_next;
    });
  }
  if (Elf_Scn* section = find_section(SHT_GNU_verneed, header)) {
    Elf_Data* data = data_of(section);
    walk_chain(data, 0, budget, [&](int offset) -> std::uint32_t {
      GElf_Verneed need;
      if (gelf_getverneed(data, offset, &need) == nullptr) return 0;
      walk_chain(data, static_cast<std::uint64_t>(offset) + need.vn_aux, budget, [&](int at) -> std::uint32_t {
        GElf_Vernaux version;
        if (gelf_getvernaux(data, at, &version) == nullptr) return 0;
        name(version.vna_other & 0x7fff, texts_of(header.sh_link).at(version.vna_name, kLongestVersion));
        return version.vna_next;
      });
      return need.vn_next;
    });
  }
  return names;
}

std::vector<std::string> ElfFile::defined_versions() const {
  std::vector<std::string> out;
  GElf_Shdr header;
  Elf_Scn* section = find_section(SHT_GNU_verdef, header);
  if (section == nullptr) return out;
  Elf_Data* data = data_of(section);
  int budget = kMostVersions;
  walk_chain(data, 0, budget, [&](int offset) -> std::uint32_t {
    GElf_Verdef definition;
    GElf_Verdaux first;
    if (gelf_getverdef(data, offset, &definition) == nullptr) return 0;
    const std::uint64_t at = static_cast<std::uint64_t>(offset) + definition.vd_aux;
    if (at < data->d_size && gelf_getverdaux(data, static_cast<int>(at), &first) != nullptr) {
      out.emplace_back(texts_of(header.sh_link).at(first.vda_name, kLongestVersion));
    }
    return definition.vd_next;
  });
  return out;
}

std::vector<VersionNeed> ElfFile::needed_versions() const {
  std::vector<VersionNeed> out;
  GElf_Shdr header;
  Elf_Scn* section = find_section(SHT_GNU_verneed, header);
  if (section == nullptr) return out;
  Elf_Data* data = data_of(section);
  int budget = kMostVersions;
  walk_chain(data, 0, budget, [&](int offset) -> std::uint32_t {
    GElf_Verneed need;
    if (gelf_getverneed(data, offset, &need) == nullptr) return 0;
    const std::string library(texts_of(header.sh_link).at(need.vn_file, kLongestPath));
    walk_chain(data, static_cast<std::uint64_t>(offset) + need.vn_aux, budget, [&](int at) -> std::uint32_t {
      GElf_Vernaux version;
      if (gelf_getvernaux(data, at, &version) == nullptr) return 0;
      out.push_back({library, std::string(texts_of(header.sh_link).at(version.vna_name, kLongestVersion)),
                     (version.vna_flags & VER_FLG_WEAK) != 0});
      return version.vna_next;
    });
    return need.vn_next;
  });
  return out;
}

std::optional<std::vector<std::uint8_t>> ElfFile::section(std::string_view name, std::size_t at_most) const {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf_.get(), section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    if (header_.e_shstrndx == SHN_UNDEF || texts_of(header_.e_shstrndx).at(header.sh_name) != name) continue;
    if (header.sh_size > at_most) {
      throw FileProblem("has a section \"" + std::string(name) + "\" of " + std::to_string(header.sh_size) +
                            " bytes, at most " + std::to_string(at_most) + " are read",
                        false);
    }
    return read_at(header.sh_offset, header.sh_size);
  }
  return std::nullopt;
}

bool ElfFile::blank_at(std::uint64_t address, std::size_t size) const {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    const std::uint64_t inside = address - segment.p_vaddr;
    const std::uint64_t there = std::min<std::uint64_t>({size, segment.p_filesz - inside, kBlank});
    return all_zero(read_at(segment.p_offset + inside, static_cast<std::size_t>(there)));
  }
  return true;
}

// ---------------------------------------------------------------------------------------------------- the descriptor

namespace {

constexpr std::size_t kLargestNotes = 64 * 1024;
constexpr std::size_t kOwnerSize = sizeof(BUSBAR_NOTE_OWNER);

constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// The payloads of our own notes in a section of notes.
std::vector<std::span<const std::uint8_t>> own_notes(std::span<const std::uint8_t> bytes) {
  std::vector<std::span<const std::uint8_t>> out;
  std::size_t at = 0;
  while (bytes.size() - at >= sizeof(Elf64_Nhdr)) {
    const auto header = take<Elf64_Nhdr>(bytes, at);
    at += sizeof header;
    const std::size_t owner = padded(header.n_namesz);
    if (owner > bytes.size() - at || header.n_descsz > bytes.size() - at - owner) break;
    if (header.n_type == BUSBAR_NOTE_TYPE && header.n_namesz == kOwnerSize &&
        std::memcmp(bytes.data() + at, BUSBAR_NOTE_OWNER, kOwnerSize) == 0) {
      out.push_back(bytes.subspan(at + owner, header.n_descsz));
    }
    at += std::min(owner + padded(header.n_descsz), bytes.size() - at);
  }
  return out;
}

}  // namespace

busbar_descriptor read_descriptor(const ElfFile& file) {
  const auto bytes = file.section(BUSBAR_NOTE_SECTION, kLargestNotes);
  if (!bytes)
    throw FileProblem("has no plugin descriptor (section \"" BUSBAR_NOTE_SECTION "\"): it is no plugin", false);
  if (all_zero(*bytes)) throw FileProblem("is incomplete: its plugin descriptor is all zeros", true);
  const auto notes = own_notes(*bytes);
  if (notes.empty()) throw FileProblem("has a plugin descriptor that cannot be read", false);
  if (notes.size() > 1) {
    throw FileProblem("has " + std::to_string(notes.size()) + " plugin descriptors, expected one", false);
  }
  // What identifies a descriptor lies at its front, and stays there in every ABI.
  constexpr std::size_t kFront = offsetof(busbar_descriptor, build_flags);
  busbar_descriptor out{};
  if (notes[0].size() < kFront) {
    throw FileProblem("has a plugin descriptor of " + std::to_string(notes[0].size()) + " bytes, expected at least " +
                          std::to_string(sizeof out),
                      false);
  }
  std::memcpy(&out, notes[0].data(), kFront);
  if (out.magic != BUSBAR_MAGIC) {
    throw FileProblem("has a plugin descriptor with the magic number " + std::to_string(out.magic) + ", expected " +
                          std::to_string(BUSBAR_MAGIC),
                      false);
  }
  if (out.abi_major != BUSBAR_ABI_MAJOR) {
    throw FileProblem("is built for plugin ABI " + std::to_string(out.abi_major) + ", this host accepts " +
                          std::to_string(BUSBAR_ABI_MAJOR),
                      false);
  }
  if (out.struct_size < sizeof out || notes[0].size() < sizeof out) {
    throw FileProblem("has a plugin descriptor of " +
                          std::to_string(std::min<std::size_t>(out.struct_size, notes[0].size())) +
                          " bytes, expected at least " + std::to_string(sizeof out),
                      false);
  }
  std::memcpy(&out, notes[0].data(), sizeof out);
  return out;
}

busbar_descriptor read_descriptor(const std::filesystem::path& path) { return read_descriptor(ElfFile(path)); }

}  // namespace busbar::host

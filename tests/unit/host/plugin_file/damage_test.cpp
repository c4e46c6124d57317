// Files that are no longer, or not yet, what a linker wrote: the good plugin, damaged.
#include <busbar/abi.h>
#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "plugins/file/inspect.hpp"
#include "support.hpp"

namespace busbar::host {
namespace {

using testing::Bytes;
using ::testing::Contains;
using testing::fixture;
using ::testing::HasSubstr;

class DamagedPlugin : public ::testing::Test {
 protected:
  const PluginFile& inspected() {
    testing::write_bytes(path_, bytes_);
    file_ = inspect(path_);
    return file_;
  }

  template <class T>
  void put(std::size_t offset, T value) {
    ASSERT_LE(offset + sizeof value, bytes_.size());
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }
  Elf64_Ehdr header() const {
    Elf64_Ehdr out;
    std::memcpy(&out, bytes_.data(), sizeof out);
    return out;
  }
  /// Where the bytes stand, the first time.
  std::size_t find(std::string_view text) const {
    const auto same = [](std::uint8_t byte, char wanted) { return byte == static_cast<std::uint8_t>(wanted); };
    const auto at = std::search(bytes_.begin(), bytes_.end(), text.begin(), text.end(), same);
    EXPECT_NE(at, bytes_.end());
    return static_cast<std::size_t>(at - bytes_.begin());
  }
  /// Where a field of the descriptor stands.
  std::size_t in_descriptor(std::size_t field) const { return find(std::string_view("Busbar\0\0", 8)) + 8 + field; }
  /// Where the header of the section stands whose content is at that offset.
  std::size_t section_at(std::size_t content) const {
    for (std::size_t i = 0; i < header().e_shnum; ++i) {
      const std::size_t at = header().e_shoff + i * sizeof(Elf64_Shdr);
      Elf64_Shdr section;
      std::memcpy(&section, bytes_.data() + at, sizeof section);
      if (section.sh_offset == content && section.sh_type == SHT_PROGBITS) return at;
    }
    ADD_FAILURE() << "no section begins at " << content;
    return header().e_shoff;
  }
  std::size_t manifest() const { return find("\xa1\x68services"); }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "damaged.so";
  Bytes bytes_ = testing::read_bytes(fixture("good"));
  PluginFile file_;
};

TEST_F(DamagedPlugin, IsRefusedWhenEmpty) {
  bytes_.clear();
  EXPECT_EQ(inspected().reason(), "is empty");
  EXPECT_TRUE(file_.incomplete);
}

TEST_F(DamagedPlugin, IsRefusedWhenItIsText) {
  const std::string text = "#!/bin/sh\necho this is no plügin\n";
  bytes_.assign(text.begin(), text.end());
  EXPECT_EQ(inspected().reason(), "is a text file, not an ELF library");
  EXPECT_FALSE(file_.incomplete);
}

TEST_F(DamagedPlugin, IsRefusedWhenItIsSomethingElse) {
  bytes_ = {0x50, 0x4b, 0x03, 0x04, 0x00, 0x00};
  EXPECT_EQ(inspected().reason(), "is not an ELF file: it begins with \"PK\\x03\\x04\"");
}

TEST_F(DamagedPlugin, IsRefusedWhenAllZeros) {
  std::fill(bytes_.begin(), bytes_.end(), std::uint8_t{0});
  EXPECT_EQ(inspected().reason(), "is not an ELF file: it begins with zeros");
  EXPECT_TRUE(file_.incomplete);
}

// L1
TEST_F(DamagedPlugin, IsRefusedAsIncompleteWhereverItIsCutShort) {
  const Bytes whole = bytes_;
  for (std::size_t size = whole.size() - 1; size > 3; size -= std::min<std::size_t>(size, 61)) {
    bytes_.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    inspected();
    ASSERT_TRUE(file_.incomplete && !file_.ok()) << "cut at " << size << ": " << file_.reason();
    ASSERT_THAT(file_.reason(), HasSubstr("is cut short")) << "cut at " << size;
  }
}

// L1
TEST_F(DamagedPlugin, IsRefusedAsIncompleteWhereverItsTailIsZeros) {
  for (std::size_t begin = bytes_.size(); begin > sizeof(Elf64_Ehdr); begin -= std::min<std::size_t>(begin, 1009)) {
    std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(begin, bytes_.size() - 64)), bytes_.end(),
              std::uint8_t{0});
    inspected();
    ASSERT_TRUE(file_.incomplete && !file_.ok()) << "zeros from " << begin << ": " << file_.reason();
  }
}

TEST_F(DamagedPlugin, IsRefusedForAnotherArchitecture) {
  put<std::uint16_t>(offsetof(Elf64_Ehdr, e_machine), EM_S390);
  EXPECT_THAT(inspected().reason(), HasSubstr("is built for s390, this host is "));
}

TEST_F(DamagedPlugin, IsRefusedForAnotherWordSize) {
  put<std::uint8_t>(EI_CLASS, ELFCLASS32);
  EXPECT_THAT(inspected().reason(), HasSubstr(" (32 bits), this host is "));
}

TEST_F(DamagedPlugin, IsRefusedForAnotherByteOrder) {
  put<std::uint8_t>(EI_DATA, ELFDATA2MSB);
  EXPECT_THAT(inspected().reason(), HasSubstr("big-endian"));
}

TEST_F(DamagedPlugin, IsRefusedWhenItIsAnObjectFile) {
  put<std::uint16_t>(offsetof(Elf64_Ehdr, e_type), ET_REL);
  EXPECT_EQ(inspected().reason(), "is an object file, not a shared library");
}

TEST_F(DamagedPlugin, IsRefusedWhenItIsAProgramAtAFixedAddress) {
  put<std::uint16_t>(offsetof(Elf64_Ehdr, e_type), ET_EXEC);
  EXPECT_EQ(inspected().reason(), "is a program, not a shared library");
}

TEST_F(DamagedPlugin, IsRefusedWithoutSections) {
  put<std::uint64_t>(offsetof(Elf64_Ehdr, e_shoff), 0);
  EXPECT_THAT(inspected().reason(), HasSubstr("no table of sections"));
}

TEST_F(DamagedPlugin, IsRefusedWithTablesBeyondAnyFile) {
  put<std::uint64_t>(offsetof(Elf64_Ehdr, e_phoff), ~std::uint64_t{0} - 8);
  EXPECT_THAT(inspected().reason(), HasSubstr("is cut short: its table of segments ends beyond any file"));
}

TEST_F(DamagedPlugin, IsRefusedWithAWrongMagicNumber) {
  put<std::uint32_t>(in_descriptor(offsetof(busbar_descriptor, magic)), 7);
  EXPECT_THAT(inspected().reason(), HasSubstr("with the magic number 7, expected "));
}

TEST_F(DamagedPlugin, IsRefusedWithADescriptorThatIsTooSmall) {
  put<std::uint32_t>(in_descriptor(offsetof(busbar_descriptor, struct_size)), 16);
  EXPECT_THAT(inspected().reason(), HasSubstr("plugin descriptor of 16 bytes, expected at least "));
}

TEST_F(DamagedPlugin, IsAcceptedWithADescriptorOfANewerMinor) {
  put<std::uint16_t>(in_descriptor(offsetof(busbar_descriptor, abi_minor)), 9);
  EXPECT_TRUE(inspected().ok()) << file_.reason();
}

TEST_F(DamagedPlugin, IsRefusedWithANoteThatReachesBeyondItsSection) {
  put<std::uint32_t>(in_descriptor(0) - sizeof(busbar_note::owner) - 8, 0x7fffffff);  // the descriptor's size
  EXPECT_THAT(inspected().reason(), HasSubstr("descriptor that cannot be read"));
}

TEST_F(DamagedPlugin, IsRefusedWithANameThatIsNotTerminated) {
  const std::size_t name = in_descriptor(offsetof(busbar_descriptor, name));
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(name), sizeof(busbar_descriptor::name), std::uint8_t{'x'});
  EXPECT_EQ(inspected().reason(), "its plugin name is not terminated");
}

TEST_F(DamagedPlugin, IsRefusedWithAVersionThatIsNotTerminated) {
  const std::size_t version = in_descriptor(offsetof(busbar_descriptor, version));
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(version), sizeof(busbar_descriptor::version),
              std::uint8_t{'1'});
  EXPECT_EQ(inspected().reason(), "its plugin version is not terminated");
}

TEST_F(DamagedPlugin, IsRefusedWithAnEmptyVersion) {
  put<char>(in_descriptor(offsetof(busbar_descriptor, version)), 0);
  EXPECT_EQ(inspected().reason(), "its plugin version is empty");
}

TEST_F(DamagedPlugin, IsRefusedWithAVersionThatWouldForgeALineOfTheLog) {
  put<char>(in_descriptor(offsetof(busbar_descriptor, version)), '\n');
  EXPECT_THAT(inspected().reason(), HasSubstr("bad plugin version \"\\x0a"));
}

TEST_F(DamagedPlugin, NamesALibraryThatDoesNotExist) {
  std::memcpy(bytes_.data() + find("libc.so.6"), "libq.so.6", 9);
  EXPECT_THAT(inspected().reason(), HasSubstr("needs library \"libq.so.6\", which was not found"));
}

TEST_F(DamagedPlugin, NamesAVersionThatTheLibraryDoesNotHave) {
  std::memcpy(bytes_.data() + find("GLIBC_2."), "GLIBC_9.", 8);
  EXPECT_THAT(inspected().reason(), HasSubstr("libraries here are too old for: version \"GLIBC_9."));
  if (BUSBAR_BUILD_FLAGS != 0) return;  // then other symbols have the version that comes first
  EXPECT_THAT(file_.reason(), HasSubstr("undefined symbol \"memset\" of version \"GLIBC_9."));
}

// A reader that calls itself for each level would need a stack as deep as the file is long.
TEST_F(DamagedPlugin, SurvivesAManifestThatNestsAMillionTimes) {
  const std::uint64_t begin = bytes_.size();
  const std::size_t section = section_at(manifest());
  put(section + offsetof(Elf64_Shdr, sh_offset), begin);
  put(section + offsetof(Elf64_Shdr, sh_size), std::uint64_t{1'000'000});
  bytes_.resize(begin + 1'000'000, 0x81);
  EXPECT_TRUE(inspected().ok()) << file_.reason();
  EXPECT_FALSE(file_.router);
  EXPECT_THAT(file_.warnings, Contains(HasSubstr("manifest of services cannot be read")));
}

TEST_F(DamagedPlugin, IsRefusedWithAManifestThatIsHuge) {
  const std::uint64_t begin = bytes_.size();
  const std::size_t section = section_at(manifest());
  put(section + offsetof(Elf64_Shdr, sh_offset), begin);
  put(section + offsetof(Elf64_Shdr, sh_size), std::uint64_t{200'000'000});
  testing::write_bytes(path_, bytes_);
  std::filesystem::resize_file(path_, begin + 200'000'000);  // sparse
  EXPECT_THAT(inspect(path_).reason(), HasSubstr("of 200000000 bytes, at most 16777216 are read"));
}

TEST_F(DamagedPlugin, IsRefusedAsIncompleteWhenOnlyItsTableOfSectionsIsZeros) {
  std::fill(bytes_.begin() + static_cast<std::ptrdiff_t>(header().e_shoff), bytes_.end(), std::uint8_t{0});
  EXPECT_EQ(inspected().reason(), "is incomplete: its table of sections, at the file's end, is all zeros");
  EXPECT_TRUE(file_.incomplete);
}

TEST_F(DamagedPlugin, IsRefusedForABadServiceNameInItsManifest) {
  bytes_[find("dnamedgood") + 6] = 'G';
  EXPECT_THAT(inspected().reason(), HasSubstr("bad service name \"Good\""));
}

TEST_F(DamagedPlugin, IsNotReadWhenItIsHuge) {
  testing::write_bytes(path_, bytes_);
  std::filesystem::resize_file(path_, std::uintmax_t{3} << 30);  // sparse: takes no room
  EXPECT_THAT(inspect(path_).reason(), HasSubstr("at most 1073741824 are read"));
}

TEST_F(DamagedPlugin, DoesNotHoldTheHostWhenItIsANamedPipe) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(inspect(path_).reason(), "is not a regular file");
}

// What matters is that this returns, under the sanitizers too; a file may well be good in spite of a changed byte.
TEST_F(DamagedPlugin, NeverCrashesTheInspectionWhateverItsBytes) {
  std::mt19937 random(20240229);  // the same files in every run
  const Bytes whole = bytes_;
  const std::size_t sections = header().e_shoff;
  const auto anywhere = [&](std::size_t from, std::size_t to) {
    return std::uniform_int_distribution<std::size_t>(from, to - 1)(random);
  };
  for (int round = 0; round < 400; ++round) {
    bytes_ = whole;
    const int changes = 1 + round % 4;
    for (int i = 0; i < changes; ++i) {
      // Half of them where it hurts most: in the headers and tables.
      const std::size_t at = round % 2 == 0 ? anywhere(0, whole.size())
                             : i % 2 == 0   ? anywhere(sections, whole.size())
                                            : anywhere(EI_NIDENT, 0x300);
      const std::uint8_t extreme[] = {0, 1, 0x7f, 0x80, 0xff, static_cast<std::uint8_t>(random())};
      bytes_[at] = extreme[anywhere(0, std::size(extreme))];
    }
    inspected();
    ASSERT_NO_THROW(to_text(file_));
    ASSERT_NO_THROW(to_json(file_).dump());
  }
}

}  // namespace
}  // namespace busbar::host

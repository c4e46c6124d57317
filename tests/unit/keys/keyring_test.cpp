#include <busbar/keys/keyring.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "support/eventually.hpp"
#include "support/key_folder.hpp"

namespace busbar::keys {
namespace {

using busbar::testing::eventually;
using ::testing::HasSubstr;

class AKeyring : public ::testing::Test {
 protected:
  AKeyring() {
    for (const auto* pair : {&a, &b}) listed.list(pair->public_file);
    std::filesystem::copy_file(a.private_file, own.path() / "own.key");
  }
  void open() {
    ring.emplace(Keyring::Files{own.path() / "own.key", listed.path()}, [this](bool is_fault, std::string_view text) {
      const std::lock_guard lock(mutex);
      (is_fault ? faults : news).append(text).append("\n");
    });
    changes = ring->on_change([this] { ++changed; });
  }
  bool told(const std::string& where, const char* what) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return (&where == &faults ? faults : news).find(what) != std::string::npos;
    });
  }
  void put_own(const WrittenPair& pair) {
    std::filesystem::copy_file(pair.private_file, own.path() / "next");
    std::filesystem::rename(own.path() / "next", own.path() / "own.key");
  }

  KeyFolder made, listed, own;
  const WrittenPair a = made.make("a");
  const WrittenPair b = made.make("b");
  std::mutex mutex;
  std::string faults, news;
  std::atomic<int> changed{0};
  std::optional<Keyring> ring;
  Keyring::Subscription changes;
};

TEST_F(AKeyring, SeesKeysThatComeAndGo) {
  open();
  EXPECT_EQ(ring->own()->key, a.key);
  EXPECT_EQ(ring->authorized()->size(), 2U);
  std::filesystem::remove(listed.path() / "b.pub");
  EXPECT_TRUE(eventually([&] { return ring->authorized()->find(b.key) == nullptr; }));
  EXPECT_TRUE(eventually([&] { return changed == 1; }));
  listed.list(b.public_file);
  EXPECT_TRUE(eventually([&] { return ring->authorized()->find(b.key) != nullptr; }));
  EXPECT_TRUE(eventually([&] { return changed == 2; }));
}

TEST_F(AKeyring, TakesALaterKeyOfItsOwn) {
  open();
  const auto later = made.make("a", Role::node, "a.later");
  put_own(later);
  EXPECT_TRUE(eventually([&] { return ring->own()->key == later.key; }));
  EXPECT_TRUE(eventually([&] { return changed == 1; }));
}

TEST_F(AKeyring, DoesNotBecomeSomebodyElse) {
  open();
  put_own(b);
  EXPECT_TRUE(told(faults, "expected node \"a\""));
  EXPECT_EQ(ring->own()->key, a.key);
}

TEST_F(AKeyring, KeepsItsOwnKeyWhereTheFileBecomesUnreadable) {
  open();
  ::chmod((own.path() / "own.key").c_str(), 0644);
  EXPECT_TRUE(told(faults, "chmod 600"));
  EXPECT_EQ(ring->own()->key, a.key);
  EXPECT_EQ(changed, 0);
}

TEST_F(AKeyring, LetsNobodyInFromADirectoryThatCannotBeRead) {
  open();
  ::chmod(listed.path().c_str(), 0777);
  EXPECT_TRUE(eventually([&] { return ring->authorized()->size() == 0; }));
  EXPECT_TRUE(told(faults, "nobody is let in"));
  ::chmod(listed.path().c_str(), 0755);
  EXPECT_TRUE(eventually([&] { return ring->authorized()->size() == 2; }));
}

TEST_F(AKeyring, SeesADirectoryThatIsReplaced) {
  const KeyFolder links;
  const auto link = links.path() / "authorized";
  std::filesystem::create_symlink(listed.path(), link);
  ring.emplace(Keyring::Files{own.path() / "own.key", link}, [](bool, std::string_view) {});
  const KeyFolder other;
  other.list(a.public_file);
  std::filesystem::create_symlink(other.path(), links.path() / "next");
  std::filesystem::rename(links.path() / "next", link);
  EXPECT_TRUE(eventually([&] { return ring->authorized()->size() == 1; })) << "within five seconds";
}

TEST_F(AKeyring, IsNotMadeOfWhatCannotBeRead) {
  std::filesystem::remove(own.path() / "own.key");
  EXPECT_THAT(fault_of([&] { open(); }), HasSubstr("own.key"));
  std::filesystem::copy_file(a.private_file, own.path() / "own.key");
  ::chmod(listed.path().c_str(), 0777);
  EXPECT_THAT(fault_of([&] { open(); }), HasSubstr("chmod go-w"));
}

}  // namespace
}  // namespace busbar::keys

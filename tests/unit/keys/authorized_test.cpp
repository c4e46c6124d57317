#include <busbar/keys/authorized.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/key_folder.hpp"

namespace busbar::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AuthorizedKeys : public ::testing::Test {
 protected:
  Authorized read() const { return Authorized::read(listed.path()); }
  KeyFolder made;
  KeyFolder listed;
};

TEST_F(AuthorizedKeys, AreThoseOfTheDirectory) {
  EXPECT_EQ(read().size(), 0U);
  const auto a = made.make("a");
  const auto ann = made.make("ann", Role::client);
  listed.list(a.public_file);
  listed.list(ann.public_file);
  write_text(listed.path() / "README", "not a key");
  write_text(listed.path() / ".hidden.pub", "not one either");
  const Authorized keys = read();
  EXPECT_THAT(keys.faults(), IsEmpty());
  ASSERT_NE(keys.find(a.key), nullptr);
  EXPECT_EQ(*keys.find(a.key), (Identity{"a", Role::node}));
  EXPECT_EQ(*keys.find(ann.key), (Identity{"ann", Role::client}));
  EXPECT_EQ(keys.find(make_secret_key().public_key()), nullptr);
  EXPECT_TRUE(keys.is_node(a.key));
  EXPECT_FALSE(keys.is_node(ann.key));
  EXPECT_THAT(keys.of_nodes(), ElementsAre(a.key));
  EXPECT_THAT(keys.of_nodes("ann"), IsEmpty());
}

TEST_F(AuthorizedKeys, OneNameMayHaveSeveral) {
  const auto later = made.make("a", Role::node, "a.2027");
  const auto first = made.make("a");
  const auto b = made.make("b");
  for (const auto& pair : {later, first, b}) listed.list(pair.public_file);
  EXPECT_THAT(read().of_nodes("a"), ElementsAre(later.key, first.key)) << "in the order of their files";
  EXPECT_THAT(read().of_nodes(), ElementsAre(later.key, first.key, b.key));
}

TEST_F(AuthorizedKeys, ABrokenFileLetsNobodyInAndIsTold) {
  const auto a = made.make("a");
  const auto b = made.make("b");
  listed.list(a.public_file);
  listed.list(b.public_file);
  ::chmod((listed.path() / "b.pub").c_str(), 0666);
  const Authorized keys = read();
  EXPECT_NE(keys.find(a.key), nullptr);
  EXPECT_EQ(keys.find(b.key), nullptr);
  EXPECT_THAT(keys.faults(), ElementsAre(HasSubstr("b.pub")));
}

TEST_F(AuthorizedKeys, AKeyOfTwoOwnersIsNobodys) {
  const auto a = made.make("a");
  listed.list(a.public_file);
  listed.list(a.public_file, "again.pub");
  EXPECT_NE(read().find(a.key), nullptr) << "the same owner twice is no dispute";
  write_text(listed.path() / "other.pub", with(text_of(a.public_file), "role = \"node\"", "role = \"client\""));
  EXPECT_EQ(read().find(a.key), nullptr);
  EXPECT_THAT(read().faults(), ElementsAre(HasSubstr("other.pub")));
}

TEST_F(AuthorizedKeys, ADirectoryThatOthersMayWriteIsRefused) {
  for (const mode_t mode : {0777U, 0775U, 0757U}) {
    ::chmod(listed.path().c_str(), mode);
    EXPECT_THAT(fault_of([&] { read(); }), HasSubstr("chmod go-w")) << mode;
  }
  EXPECT_THAT(fault_of([&] { Authorized::read(listed.path() / "absent"); }), HasSubstr("No such file"));
  write_text(made.path() / "file", "");
  EXPECT_THAT(fault_of([&] { Authorized::read(made.path() / "file"); }), HasSubstr("expected a directory"));
}

}  // namespace
}  // namespace busbar::keys

#include <busbar/keys/key_file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/key_folder.hpp"

namespace busbar::keys {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

mode_t mode_of(const std::filesystem::path& file) {
  struct stat status {};
  ::stat(file.c_str(), &status);
  return status.st_mode & 07777U;
}

class KeyFile : public ::testing::Test {
 protected:
  std::string fault_of_private(const std::string& text) {
    const auto file = folder.path() / "broken.key";
    std::filesystem::remove(file);
    write_text(file, text);
    ::chmod(file.c_str(), 0600);
    return fault_of([&] { read_private_file(file); });
  }
  std::string fault_of_public(const std::string& text) {
    write_text(folder.path() / "broken.pub", text);
    return fault_of([&] { read_public_file(folder.path() / "broken.pub"); });
  }
  KeyFolder folder;
};

TEST_F(KeyFile, WhatIsWrittenIsRead) {
  const auto written = folder.make("alpha", Role::deployer);
  EXPECT_EQ(mode_of(written.private_file), 0600U);
  EXPECT_EQ(mode_of(written.public_file) & 0022U, 0U);
  const OwnKey own = read_private_file(written.private_file);
  EXPECT_EQ(own.owner, (Identity{"alpha", Role::deployer}));
  EXPECT_EQ(own.key, written.key);
  EXPECT_EQ(own.secret.public_key(), written.key);
  const ListedKey listed = read_public_file(written.public_file);
  EXPECT_EQ(listed.owner, own.owner);
  EXPECT_EQ(listed.key, written.key);
  EXPECT_THAT(text_of(written.public_file), Not(HasSubstr(own.secret.text())));
}

TEST_F(KeyFile, WhatIsThereIsNeverTouched) {
  const auto written = folder.make("alpha");
  const std::string before = text_of(written.private_file);
  EXPECT_THAT(fault_of([&] { folder.make("alpha"); }), HasSubstr("never touched"));
  EXPECT_EQ(text_of(written.private_file), before);
  std::filesystem::remove(written.private_file);
  EXPECT_THAT(fault_of([&] { folder.make("alpha"); }), HasSubstr("alpha.pub"));
  EXPECT_FALSE(std::filesystem::exists(written.private_file)) << "neither is left there";
}

TEST_F(KeyFile, APrivateOneThatOthersMayTouchIsRefused) {
  const auto written = folder.make("alpha");
  for (const mode_t mode : {0640U, 0620U, 0610U, 0604U, 0602U, 0601U, 0777U}) {
    ::chmod(written.private_file.c_str(), mode);
    EXPECT_THAT(fault_of([&] { read_private_file(written.private_file); }), HasSubstr("chmod 600")) << mode;
  }
  ::chmod(written.private_file.c_str(), 0400);
  EXPECT_EQ(fault_of([&] { read_private_file(written.private_file); }), "");
}

TEST_F(KeyFile, APublicOneThatOthersMayWriteIsRefused) {
  const auto written = folder.make("alpha");
  for (const mode_t mode : {0664U, 0646U}) {
    ::chmod(written.public_file.c_str(), mode);
    EXPECT_THAT(fault_of([&] { read_public_file(written.public_file); }), HasSubstr("chmod go-w")) << mode;
  }
}

TEST_F(KeyFile, WhatIsNoKeySaysWhatIsWrong) {
  const auto written = folder.make("alpha");
  const std::string own = text_of(written.private_file);
  EXPECT_THAT(fault_of_private(""), HasSubstr("found no text for \"private\""));
  EXPECT_THAT(fault_of_private("name = "), HasSubstr("line 1 is no TOML"));
  EXPECT_THAT(fault_of_private(with(own, "alpha\"\nrole", "local\"\nrole")), HasSubstr("\"name\" does not match"));
  EXPECT_THAT(fault_of_private(with(own, "role = \"node\"", "role = \"king\"")), HasSubstr("\"role\" is none of"));
  EXPECT_THAT(fault_of_private(with(own, "role = \"node\"", "role = 7")), HasSubstr("no text for \"role\""));
  const std::string other = make_secret_key().public_key().text();
  EXPECT_THAT(fault_of_private(with(own, written.key.text(), other)), HasSubstr("not of one pair"));
  EXPECT_THAT(fault_of_private(std::string(20'000, '#')), HasSubstr("more than 16 KiB"));
  EXPECT_THAT(fault_of_public(own), HasSubstr("found a private key"));
  EXPECT_THAT(fault_of_public(with(text_of(written.public_file), written.key.text(), "short")),
              HasSubstr("\"public\" is no key"));
  EXPECT_THAT(fault_of([&] { read_private_file(folder.path() / "absent.key"); }), HasSubstr("No such file"));
  EXPECT_THAT(fault_of([&] { read_private_file(folder.path()); }), HasSubstr("expected"));
  ::mkfifo((folder.path() / "pipe.key").c_str(), 0600);
  EXPECT_THAT(fault_of([&] { read_private_file(folder.path() / "pipe.key"); }), HasSubstr("expected a file"));
}

TEST_F(KeyFile, NoMessageQuotesWhatIsPrivate) {
  const auto written = folder.make("alpha");
  const std::string own = text_of(written.private_file);
  const std::string secret = read_private_file(written.private_file).secret.text();
  for (std::size_t size = 0; size < own.size(); ++size) {
    EXPECT_THAT(fault_of_private(own.substr(0, size)), Not(HasSubstr(secret.substr(0, 8)))) << size;
  }
}

}  // namespace
}  // namespace busbar::keys

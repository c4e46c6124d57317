#include <busbar/keys/key.hpp>

#include <gtest/gtest.h>

#include <string>

namespace busbar::keys {
namespace {

// RFC 26's own example.
constexpr const char* kPublic = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr const char* kSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

TEST(Keys, AreFortyCharactersOfZ85) {
  EXPECT_TRUE(PublicKey::from(kPublic));
  EXPECT_FALSE(PublicKey::from(""));
  EXPECT_FALSE(PublicKey::from(std::string(kPublic).substr(1)));
  EXPECT_FALSE(PublicKey::from(std::string(kPublic) + "0"));
  std::string other = kPublic;
  other[7] = ' ';
  EXPECT_FALSE(PublicKey::from(other));
  other[7] = '\0';
  EXPECT_FALSE(PublicKey::from(other));
  EXPECT_FALSE(PublicKey::from(std::string(40, '#'))) << "more than 32 bits in five characters";
  EXPECT_TRUE(PublicKey::from(std::string(40, '0')));
}

TEST(Keys, APublicKeyFollowsFromItsSecretOne) {
  const auto secret = SecretKey::from(kSecret);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->public_key().text(), kPublic);
  const SecretKey one = make_secret_key();
  const SecretKey two = make_secret_key();
  EXPECT_NE(one.text(), two.text());
  EXPECT_NE(one.public_key(), two.public_key());
}

TEST(Keys, RolesHaveNames) {
  for (const Role role : {Role::node, Role::client, Role::deployer}) EXPECT_EQ(role_of(name_of(role)), role);
  EXPECT_EQ(name_of(Role::deployer), "deployer");
  EXPECT_FALSE(role_of("Node"));
  EXPECT_FALSE(role_of(""));
}

}  // namespace
}  // namespace busbar::keys

// Payloads that own and payloads that borrow.
#include "unit/sdk/cbor/support.hpp"

namespace {
struct Person {
  std::string name;
  std::optional<int> age;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(name), CEREAL_NVP(age));
  }
};
}  // namespace

namespace busbar {
namespace {

using namespace busbar::testing;
using ::testing::ElementsAre;

TEST(Payload, CarriesAValue) {
  const Payload payload = Payload::of(Person{"Ada", 36});
  EXPECT_EQ(payload.as<Person>().name, "Ada");
  EXPECT_EQ(payload.as<Person>().age, 36);
  EXPECT_EQ(payload.to_json().dump(), R"({"age":36,"name":"Ada"})");
  EXPECT_EQ(Payload::from_json(payload.to_json()).as<Person>().name, "Ada");
}

TEST(Payload, TakesLiteralsCStringsAndViewsAsText) {
  const char* pointer = "ann";
  const char cut_off[2] = {'a', 'n'};
  EXPECT_EQ(Payload::of("ann").as<std::string>(), "ann");
  EXPECT_EQ(Payload::of(pointer).as<std::string>(), "ann");
  EXPECT_EQ(Payload::of(std::string_view("ann")).as<std::string>(), "ann");
  EXPECT_EQ(Payload::of(cut_off).as<std::string>(), "an");
}

TEST(Payload, IsAbsentUntilThereIsSomething) {
  const Payload absent;
  EXPECT_TRUE(absent.empty());
  EXPECT_TRUE(absent.to_json().is_null());
  EXPECT_FALSE(Payload::of(std::optional<int>()).empty());
}

TEST(Payload, ThatIsAbsentReadsAsAMapWithoutFields) {
  const Payload absent;
  try {
    absent.as<Person>();
    FAIL() << "an absent payload gave a person";
  } catch (const DecodeError& error) {
    EXPECT_THAT(error.fields(), ElementsAre(FieldError{"name", "text", "nothing"}));
  }
  EXPECT_EQ(absent.as<std::optional<int>>(), std::nullopt);
  EXPECT_THROW(absent.as<int>(), DecodeError);
}

TEST(Payload, ThatBorrowsShowsTheLendersBytes) {
  const Bytes bytes = json("[1]");
  const Payload borrowed = Payload::borrow(bytes);
  EXPECT_EQ(borrowed.bytes().data(), bytes.data());
}

TEST(Payload, CopiedFromABorrowedOneOwns) {
  Bytes bytes = json("[1]");
  const Payload borrowed = Payload::borrow(bytes);
  const Payload copy = borrowed;
  Payload assigned;
  assigned = borrowed;
  bytes[1] = 9;
  EXPECT_EQ(copy.to_json().dump(), "[1]");
  EXPECT_EQ(assigned.to_json().dump(), "[1]");
  EXPECT_EQ(borrowed.to_json().dump(), "[9]");
}

TEST(Payload, MovedKeepsWhatItHad) {
  const Bytes bytes = json("[1]");
  Payload borrowed = Payload::borrow(bytes);
  const Payload still_borrowed = std::move(borrowed);
  EXPECT_EQ(still_borrowed.bytes().data(), bytes.data());
  EXPECT_TRUE(borrowed.empty());  // NOLINT: what a moved-from payload is, is documented
  Payload owner = Payload::own(bytes);
  const auto* data = owner.bytes().data();
  Payload target = Payload::of(5);
  target = std::move(owner);
  EXPECT_EQ(target.bytes().data(), data);
  EXPECT_TRUE(owner.empty());  // NOLINT
}

TEST(Payload, AssignedToItselfStays) {
  Payload payload = Payload::of(5);
  const Payload& same = payload;
  payload = same;
  EXPECT_EQ(payload.as<int>(), 5);
}

TEST(Payload, WithinAValueIsCheckedWhenWritten) {
  EXPECT_THROW(Payload::of(std::vector<Payload>{Payload::own({0xff})}), MalformedPayload);
  EXPECT_EQ(Payload::of(std::vector<Payload>(1)).to_json().dump(), "[null]");
}

}  // namespace
}  // namespace busbar

// Classes: what their authors may write, and what payloads may leave out.
#include <array>
#include <map>
#include <memory>

#include "unit/sdk/cbor/support.hpp"

namespace author {

struct Point {
  int x = 0, y = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(x), cereal::make_nvp("why", y));
  }
  bool operator==(const Point&) const = default;
};

class Private {
 public:
  int value = 0;

 private:
  friend class cereal::access;
  template <class A>
  void serialize(A& ar) {
    ar& CEREAL_NVP(value);
  }
};

struct Outside {
  int value = 0;
};
template <class A>
void serialize(A& ar, Outside& object) {
  ar(cereal::make_nvp("value", object.value));
}

struct Versioned {
  int value = 0;
  std::uint32_t seen = 99;
  template <class A>
  void serialize(A& ar, std::uint32_t version) {
    seen = version;
    ar(CEREAL_NVP(value));
  }
};

struct OutsideVersioned {
  int value = 0;
};
template <class A>
void serialize(A& ar, OutsideVersioned& object, const std::uint32_t version) {
  object.value += static_cast<int>(version);
  ar(cereal::make_nvp("value", object.value));
}

struct Halves {
  int value = 0;
  template <class A>
  void save(A& ar) const {
    ar(cereal::make_nvp("doubled", value * 2));
  }
  template <class A>
  void load(A& ar) {
    int doubled = 0;
    ar(CEREAL_NVP(doubled));
    value = doubled / 2;
  }
};

struct OutsideHalves {
  int value = 0;
};
template <class A>
void save(A& ar, const OutsideHalves& object) {
  ar(cereal::make_nvp("value", object.value));
}
template <class A>
void load(A& ar, OutsideHalves& object) {
  ar(cereal::make_nvp("value", object.value));
}

struct VersionedHalves {
  int value = 0;
  template <class A>
  void save(A& ar, std::uint32_t) const {
    ar(CEREAL_NVP(value));
  }
  template <class A>
  void load(A& ar, std::uint32_t) {
    ar(CEREAL_NVP(value));
  }
};

struct Derived : Point {
  int z = 0;
  template <class A>
  void serialize(A& ar) {
    ar(cereal::base_class<Point>(this), CEREAL_NVP(z));
  }
};

struct NamedBase : Point {
  int z = 0;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(z), cereal::make_nvp("base", cereal::virtual_base_class<Point>(this)));
  }
};

struct Lenient {
  std::string name;
  std::optional<int> age;
  int retries = 0;
  std::string mode;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(name), CEREAL_NVP(age), busbar::field("retries", retries, 3), busbar::field("mode", mode, "fast"));
  }
};

struct Node {
  int value = 0;
  std::unique_ptr<Node> next;
  std::vector<Node> children;
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(value), CEREAL_NVP(next), busbar::field("children", children, {}));
  }
};

struct Matrix {
  int cells[2][2] = {};
  template <class A>
  void serialize(A& ar) {
    ar(CEREAL_NVP(cells));
  }
};

/// Thirty fields, more than fit a one-byte head.
struct Wide {
  std::array<int, 30> values{};
  template <class A>
  void serialize(A& ar) {
    static constexpr const char* kNames[] = {"f00", "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09",
                                             "f10", "f11", "f12", "f13", "f14", "f15", "f16", "f17", "f18", "f19",
                                             "f20", "f21", "f22", "f23", "f24", "f25", "f26", "f27", "f28", "f29"};
    for (std::size_t i = 0; i < values.size(); ++i) ar(cereal::make_nvp(kNames[i], values[i]));
  }
};

struct LongName {
  int value = 0;
  template <class A>
  void serialize(A& ar) {
    ar(cereal::make_nvp("a name that is longer than twenty-three characters", value));
  }
};

}  // namespace author

namespace busbar {
namespace {

using namespace busbar::testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class T>
std::string as_json(const T& value) {
  return Payload::of(value).to_json().dump();
}

TEST(CborStruct, IsAMapByFieldName) {
  EXPECT_EQ(encoded(author::Point{1, -1}), hex("a2 61 78 01 63 776879 20"));
  EXPECT_EQ(decoded<author::Point>(hex("a2 61 78 01 63 776879 20")), (author::Point{1, -1}));
}

TEST(CborStruct, TakesWhatAuthorsWriteForCereal) {
  const Bytes five = json(R"({"value": 5})");
  EXPECT_EQ(decoded<author::Private>(five).value, 5);
  EXPECT_EQ(decoded<author::Outside>(five).value, 5);
  EXPECT_EQ(decoded<author::OutsideVersioned>(five).value, 5);
  EXPECT_EQ(decoded<author::OutsideHalves>(five).value, 5);
  EXPECT_EQ(decoded<author::VersionedHalves>(five).value, 5);
  EXPECT_EQ(decoded<author::Halves>(json(R"({"doubled": 10})")).value, 5);
  author::Private secret;
  secret.value = 5;
  EXPECT_EQ(encoded(secret), five);
  EXPECT_EQ(encoded(author::Outside{5}), five);
  EXPECT_EQ(encoded(author::OutsideVersioned{5}), five);
  EXPECT_EQ(encoded(author::OutsideHalves{5}), five);
  EXPECT_EQ(encoded(author::VersionedHalves{5}), five);
  EXPECT_EQ(as_json(author::Halves{5}), R"({"doubled":10})");
}

TEST(CborStruct, IsAlwaysOfVersionZero) { EXPECT_EQ(decoded<author::Versioned>(json(R"({"value": 1})")).seen, 0u); }

TEST(CborStruct, HasItsBasesFieldsAmongItsOwn) {
  author::Derived derived;
  derived.x = 1;
  derived.z = 3;
  EXPECT_EQ(as_json(derived), R"({"why":0,"x":1,"z":3})");
  EXPECT_EQ(decoded<author::Derived>(encoded(derived)).x, 1);
  EXPECT_EQ(decoded<author::NamedBase>(encoded(derived)).z, 3);
  EXPECT_EQ(decoded<author::NamedBase>(encoded(derived)).x, 1);
}

TEST(CborStruct, FieldsMayComeInAnyOrder) {
  EXPECT_EQ(decoded<author::Point>(json(R"({"why": 2, "x": 1})")), (author::Point{1, 2}));
  std::string reversed = "{";
  for (int i = 29; i >= 0; --i)
    reversed +=
        (i < 29 ? ",\"f" : "\"f") + std::string(i < 10 ? "0" : "") + std::to_string(i) + "\":" + std::to_string(i);
  const auto wide = decoded<author::Wide>(json(reversed + "}"));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(wide.values[static_cast<std::size_t>(i)], i);
}

TEST(CborStruct, FieldsMayComeInAnyOrderAmongManyOthers) {
  std::string text = "{\"why\": 2";
  for (int i = 0; i < 1000; ++i) text += ",\"other" + std::to_string(i) + "\":[" + std::to_string(i) + "]";
  EXPECT_EQ(decoded<author::Point>(json(text + ",\"x\": 1}")), (author::Point{1, 2}));
}

TEST(CborStruct, MayHaveMoreFieldsThanAShortHeadCounts) {
  author::Wide wide;
  for (int i = 0; i < 30; ++i) wide.values[static_cast<std::size_t>(i)] = i;
  const Bytes bytes = encoded(wide);
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 6), hex("b8 1e 63 663030"));
  EXPECT_EQ(decoded<author::Wide>(bytes).values, wide.values);
  EXPECT_EQ(encoded(std::vector<author::Wide>{wide, wide}).size(), 1 + 2 * bytes.size());
}

TEST(CborStruct, MayHaveLongNamesAndArrays) {
  EXPECT_EQ(decoded<author::LongName>(encoded(author::LongName{7})).value, 7);
  author::Matrix matrix;
  matrix.cells[1][0] = 4;
  EXPECT_EQ(as_json(matrix), R"({"cells":[[0,0],[4,0]]})");
  EXPECT_EQ(decoded<author::Matrix>(encoded(matrix)).cells[1][0], 4);
}

TEST(CborStruct, UnknownFieldsAreIgnored) {
  const auto point =
      decoded<author::Point>(json(R"({"a": {"b": [1, {"c": 2}]}, "x": 1, "m": "n", "why": 2, "z": null})"));
  EXPECT_EQ(point, (author::Point{1, 2}));
}

TEST(CborStruct, MayComeWithAnIndefiniteLength) {
  EXPECT_EQ(decoded<author::Point>(hex("bf 61 78 01 63 776879 20 ff")), (author::Point{1, -1}));
  EXPECT_THROW(decoded<author::Point>(hex("bf 61 78 01 63 776879 20")), MalformedPayload);
}

TEST(CborStruct, MayHaveATag) { EXPECT_EQ(decoded<author::Point>(hex("d9 d9f7 a2 61 78 01 63 776879 c1 20")).y, -1); }

TEST(CborStruct, MayLeaveOutOptionalsAndFieldsWithADefault) {
  const auto lenient = decoded<author::Lenient>(json(R"({"name": "n"})"));
  EXPECT_EQ(lenient.age, std::nullopt);
  EXPECT_EQ(lenient.retries, 3);
  EXPECT_EQ(lenient.mode, "fast");
  EXPECT_EQ(decoded<author::Lenient>(json(R"({"name": "n", "age": null})")).age, std::nullopt);
  EXPECT_EQ(decoded<author::Lenient>(json(R"({"mode": "slow", "age": 4, "name": "n"})")).mode, "slow");
}

TEST(CborStruct, WritesNoEmptyOptionalButEveryDefault) {
  EXPECT_EQ(as_json(author::Lenient{"n", {}, 5, "m"}), R"({"mode":"m","name":"n","retries":5})");
  EXPECT_EQ(as_json(author::Lenient{"n", 6, 5, "m"}), R"({"age":6,"mode":"m","name":"n","retries":5})");
}

TEST(CborStruct, AKeyThatComesTwiceIsRefused) {
  for (const char* twice :
       {"a2 61 78 01 61 78 02", "a3 61 78 01 63 776879 20 61 78 02", "a3 61 78 01 63 776879 20 63 776879 20",
        "a4 61 78 01 63 776879 20 61 61 00 61 61 00", "a3 61 78 01 63 776879 20 78 01 78 00"})
    EXPECT_THROW(decoded<author::Point>(hex(twice)), MalformedPayload) << twice;
}

TEST(CborStruct, MayContainItself) {
  author::Node node;
  node.next = std::make_unique<author::Node>();
  node.next->value = 2;
  node.children.resize(2);
  node.children[1].value = 4;
  const auto back = decoded<author::Node>(encoded(node));
  EXPECT_EQ(back.next->value, 2);
  EXPECT_EQ(back.children.at(1).value, 4);
}

TEST(CborStruct, MayContainItselfSixtyFourDeepAndNoDeeper) {
  author::Node node;
  author::Node* last = &node;
  // Sixty-three nodes, and the empty array within the last.
  for (int i = 1; i < 63; ++i) last = (last->next = std::make_unique<author::Node>()).get();
  const Bytes deep = encoded(node);
  EXPECT_NO_THROW(decoded<author::Node>(deep));
  EXPECT_NO_THROW(cbor::check_well_formed(deep));
  last->next = std::make_unique<author::Node>();
  EXPECT_THROW(encoded(node), EncodeError);
  // {"value": 0, "next": …} around what was still good
  Bytes deeper = hex("a2 65 76616c7565 00 64 6e657874");
  deeper.insert(deeper.end(), deep.begin(), deep.end());
  EXPECT_THROW(decoded<author::Node>(deeper), MalformedPayload);
  EXPECT_THROW(cbor::check_well_formed(deeper), MalformedPayload);
}

TEST(CborStruct, AFieldWithoutANameIsAnErrorOfItsAuthor) {
  struct Nameless {
    int value = 0;
    void serialize(cbor::OutputArchive& ar) { ar(value); }
    void serialize(cbor::InputArchive& ar) { ar(value); }
  };
  EXPECT_THROW(encoded(Nameless()), std::logic_error);
  EXPECT_THROW(decoded<Nameless>(hex("a0")), std::logic_error);
}

}  // namespace
}  // namespace busbar

#include <busbar/payload.hpp>

#include <map>
#include <string>
#include <variant>
#include <vector>

// Any bytes as a payload: read as everything that can be read, and what was read must survive being written.
namespace {

struct Leaf {
  std::string text;
  std::optional<double> number;
  std::vector<std::byte> bytes;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text), CEREAL_NVP(number), CEREAL_NVP(bytes));
  }
};
struct Tree {
  std::map<std::string, Leaf> leaves;
  std::vector<Tree> branches;
  std::variant<std::string, std::int64_t> either;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(leaves), CEREAL_NVP(branches), CEREAL_NVP(either));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  try {
    const auto tree = busbar::cbor::decode<Tree>(bytes);
    busbar::Payload::of(tree).as<Tree>();
  } catch (const std::exception&) {
  }
  try {
    const auto json = busbar::cbor::to_json(bytes);
    if (busbar::Payload::from_json(json).to_json() != json) __builtin_trap();
  } catch (const std::exception&) {
  }
  try {
    busbar::cbor::find_field(bytes, "text");
  } catch (const std::exception&) {
  }
  return 0;
}

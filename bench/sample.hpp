// The request and the answer of every benchmark: about 64 bytes of content.
#pragma once

#include <cereal/cereal.hpp>

#include <cstdint>
#include <string>

namespace bench {

struct Sample {
  std::string name = "a name of 20 letters";
  std::int64_t id = 1'234'567'890'123;
  double amount = 99.95;
  std::string text = "some text of 24 letters.";
  bool flag = true;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(id), CEREAL_NVP(amount), CEREAL_NVP(text), CEREAL_NVP(flag));
  }
};

}  // namespace bench

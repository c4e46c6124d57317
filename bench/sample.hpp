// The request and the answer of every benchmark: about 64 bytes of content.
#pragma once

#include <cereal/cereal.hpp>

#include <cstdint>
#include <string>

namespace bench {

struct Sample {
  std::string name;
  std::int64_t id = 0;
  double amount = 0;
  std::string text;
  bool flag = false;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(id), CEREAL_NVP(amount), CEREAL_NVP(text), CEREAL_NVP(flag));
  }
};

inline Sample make_sample() {
  return {"a name of 20 letters", 1'234'567'890'123, 99.95, "some text of 24 letters.", true};
}

}  // namespace bench

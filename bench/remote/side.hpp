// What is compared: a client in this process with a server in another one, by whatever protocol.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "support.hpp"

namespace bench {

inline constexpr std::size_t kUnderWay = 64;

// One call at a time (`call`), or many under way.
class Side : public Handoff {
 public:
  // So many calls, kUnderWay of them at any time.
  virtual void run(std::size_t calls) = 0;
  virtual pid_t server() const = 0;
};

// Starts the server where the placement's worker is, and then the client where its caller is.
using MakeSide = std::function<std::unique_ptr<Side>(const Placement&)>;

// `keys`: a directory of BenchKeys; empty: without keys.
MakeSide raw_side(const std::string& keys = {});

// What a server does that was started with `--serve raw`; does not return.
void serve_raw(const std::string& keys);

}  // namespace bench

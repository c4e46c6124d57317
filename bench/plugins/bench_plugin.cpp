// What the benchmarks call: a typed request and answer of about 64 bytes, inline and pooled.
#include <busbar/plugin.hpp>

#include "sample.hpp"

namespace {

class Bench final : public busbar::Router {
 public:
  Bench() {
    service("bench_inline", &Bench::answer).inlined();
    service("bench_pooled", &Bench::answer);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  bench::Sample answer(bench::Sample request) { return request; }
};

}  // namespace

BUSBAR_PLUGIN(Bench, "bench", "1.0.0")

// Takes so many calls in all, and of each service; how many is the build's to say, for an older and a newer one.
#include <busbar/plugin.hpp>

namespace {

class Limited final : public busbar::Router {
 public:
  Limited() {
    limit(LIMITED_RUNNING, 5);
    service("limited_itself", &Limited::one).limit(1);
    service("limited_by_all", &Limited::one);
    service("limited_inline", &Limited::one).inlined();
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  int one() { return 1; }
};

}  // namespace

BUSBAR_PLUGIN(Limited, "limited", "1." LIMITED_MINOR)

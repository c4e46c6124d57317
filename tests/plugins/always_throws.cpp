// In the place of the plugin "good", and no good: whoever calls its service is answered badrpc(exit).
#include <busbar/plugin.hpp>

#include <stdexcept>

class AlwaysThrows final : public busbar::Router {
 public:
  AlwaysThrows() { service("good", &AlwaysThrows::work); }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  void work() { throw std::runtime_error("as always"); }
};

BUSBAR_PLUGIN(AlwaysThrows, "good", "3.0.0")

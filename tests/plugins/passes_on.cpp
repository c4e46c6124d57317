// Has a thread of its own that calls an inline service of another plugin, and stays.
#include <busbar/plugin.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>

struct Passed {
  std::string service;
  std::string path;  // of a FIFO: the thread ends when somebody opens it for writing
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(service), CEREAL_NVP(path));
  }
};

class PassesOn final : public busbar::Router {
 public:
  PassesOn() { service("pass_on", &PassesOn::pass); }
  ~PassesOn() override {
    if (thread_.joinable()) thread_.join();
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  void pass(const Passed& wanted) {
    std::promise<void> called;
    thread_ = std::thread([this, wanted, &called] {
      host().dispatch(busbar::Message(wanted.service));
      called.set_value();
      close(open(wanted.path.c_str(), O_RDONLY | O_CLOEXEC));
    });
    called.get_future().wait();
  }

  std::thread thread_;
};

BUSBAR_PLUGIN(PassesOn, FIXTURE_NAME, "1.0.0")

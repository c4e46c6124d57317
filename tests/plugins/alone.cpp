// Holds a lock that another version of it cannot have at the same time. Several plugins are made of it, all called
// "alone".
#include <busbar/plugin.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

struct Settings {
  std::string lock;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(lock));
  }
};

class Alone final : public busbar::Router {
 public:
  Alone() {
    service("who", &Alone::who);
    exclusive();
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }
  void start(const busbar::Payload& config) override {
    const auto settings = config.as<Settings>();
    if (ALONE_FAILS) throw std::runtime_error("it never starts");
    lock_ = ::open(settings.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) throw std::runtime_error("somebody else has the lock");
  }
  void stop() override { ::close(lock_); }

 private:
  std::string who() { return ALONE_VERSION; }
  int lock_ = -1;
};

BUSBAR_PLUGIN(Alone, "alone", ALONE_VERSION)

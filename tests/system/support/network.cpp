#include "system/support/network.hpp"

#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "support/machine.hpp"

namespace busbar::system_tests {

namespace {

constexpr std::size_t kLargestPacket = 64 * 1024;

/// A TUN device of the machine that this thread is on. -1: there is none, and errno says why.
int open_device() {
  const int device = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) return -1;
  ifreq request{};
  std::strcpy(request.ifr_name, "net");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(device, TUNSETIFF, &request) == 0) return device;
  const int error = errno;
  ::close(device);
  errno = error;
  return -1;
}

}  // namespace

class Network::Switch {
 public:
  explicit Switch(int machines);
  ~Switch();
  Switch(const Switch&) = delete;
  Switch& operator=(const Switch&) = delete;

  const std::string& problem() const { return problem_; }
  int size() const { return static_cast<int>(machines_.size()); }
  std::string machine(int number) const { return machines_[static_cast<std::size_t>(number)].path(); }
  void set(int from, int to, const Way& way);
  Counts counts() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Packet = std::vector<std::uint8_t>;

  bool open_devices();
  void run();
  int wait_until(Clock::time_point now) const;
  void take(int from, const std::uint8_t* bytes, std::size_t size);
  void deliver(Clock::time_point now);
  void hand(int to, const Packet& packet) const;

  std::deque<testing::Machine> machines_;  // which stay where they are
  std::string problem_;
  std::vector<int> devices_;
  int stop_ = -1;  // an eventfd

  // Of the thread alone.
  std::multimap<Clock::time_point, std::pair<int, Packet>> on_the_way_;
  std::minstd_rand random_{5};

  mutable std::mutex mutex_;
  std::vector<std::vector<Way>> ways_;  // [from][to]
  Counts counts_;
  std::thread thread_;
};

Network::Switch::Switch(int machines) : machines_(static_cast<std::size_t>(machines)) {
  ways_.assign(machines_.size(), std::vector<Way>(machines_.size()));
  for (const auto& machine : machines_) {
    if (!machine.problem().empty()) problem_ = machine.problem();
  }
  if (!problem_.empty() || !open_devices()) return;
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { run(); });
}

Network::Switch::~Switch() {
  if (thread_.joinable()) {
    ::eventfd_write(stop_, 1);
    thread_.join();
  }
  ::close(stop_);
  for (const int device : devices_) ::close(device);
}

bool Network::Switch::open_devices() {
  for (int number = 0; number < static_cast<int>(machines_.size()); ++number) {
    const auto& machine = machines_[static_cast<std::size_t>(number)];
    int error = 0;
    machine.run([&] {
      devices_.push_back(open_device());
      error = errno;
    });
    if (devices_.back() < 0) {
      problem_ = std::string("a TUN device cannot be made here: ") + std::strerror(error);
      return false;
    }
    if (!machine.command("ip address add " + Network::address(number) +
                         "/24 dev net && ip link set net up && ip link set lo up")) {
      problem_ = "a network device cannot be set up here: that takes ip(8)";
      return false;
    }
  }
  return true;
}

void Network::Switch::set(int from, int to, const Way& way) {
  const std::lock_guard lock(mutex_);
  ways_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)] = way;
}

Network::Counts Network::Switch::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Network::Switch::run() {
  std::vector<pollfd> polled;
  for (const int device : devices_) polled.push_back({device, POLLIN, 0});
  polled.push_back({stop_, POLLIN, 0});
  std::vector<std::uint8_t> bytes(kLargestPacket);
  while (polled.back().revents == 0) {
    ::poll(polled.data(), polled.size(), wait_until(Clock::now()));
    for (std::size_t from = 0; from < devices_.size(); ++from) {
      if (polled[from].revents == 0) continue;
      for (ssize_t size; (size = ::read(devices_[from], bytes.data(), bytes.size())) > 0;) {
        take(static_cast<int>(from), bytes.data(), static_cast<std::size_t>(size));
      }
    }
    deliver(Clock::now());
  }
}

/// In milliseconds, as `poll` wants it.
int Network::Switch::wait_until(Clock::time_point now) const {
  if (on_the_way_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(on_the_way_.begin()->first - now);
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

/// Only IPv4 from one of these machines to another; what else a kernel says by itself has no one to hear it.
void Network::Switch::take(int from, const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t kHeader = 20;
  constexpr std::size_t kDestination = 16;
  if (size < kHeader || bytes[0] >> 4 != 4) return;
  constexpr std::array<std::uint8_t, 3> kOurs = {10, 77, 0};
  const std::uint8_t* destination = bytes + kDestination;
  const int to = destination[3] - 1;
  if (!std::equal(kOurs.begin(), kOurs.end(), destination) || to < 0 || to >= static_cast<int>(devices_.size())) return;
  Way way;
  {
    const std::lock_guard lock(mutex_);
    way = ways_[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    const bool lost = way.cut || (way.loss != 0 && static_cast<int>(random_() % 100) < way.loss);
    ++(lost ? counts_.lost : counts_.carried);
    if (lost) return;
  }
  on_the_way_.emplace(Clock::now() + way.delay, std::pair(to, Packet(bytes, bytes + size)));
}

void Network::Switch::deliver(Clock::time_point now) {
  while (!on_the_way_.empty() && on_the_way_.begin()->first <= now) {
    const auto& [to, packet] = on_the_way_.begin()->second;
    hand(to, packet);
    on_the_way_.erase(on_the_way_.begin());
  }
}

/// What its device has no room for is lost, as on every network.
void Network::Switch::hand(int to, const Packet& packet) const {
  (void)!::write(devices_[static_cast<std::size_t>(to)], packet.data(), packet.size());
}

Network::Network(int machines) : switch_(std::make_unique<Switch>(machines)) {}
Network::~Network() = default;
const std::string& Network::problem() const { return switch_->problem(); }
std::string Network::machine(int number) const { return switch_->machine(number); }
void Network::set(int from, int to, const Way& way) { switch_->set(from, to, way); }
Network::Counts Network::counts() const { return switch_->counts(); }

void Network::set_all(const Way& way) {
  for (int from = 0; from < switch_->size(); ++from) {
    for (int to = 0; to < switch_->size(); ++to) set(from, to, way);
  }
}

void Network::part(const std::vector<int>& side, const std::vector<int>& other) {
  for (const int one : side) {
    for (const int two : other) {
      set(one, two, {.cut = true});
      set(two, one, {.cut = true});
    }
  }
}

}  // namespace busbar::system_tests

#include "busbar/registry/net/door.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace busbar::registry::net {

namespace {

constexpr std::array<std::string_view, kTurnedAwayKinds> kNames = {
    "unlisted_key",  "other_role",    "not_greeted", "too_slow",       "too_many",
    "too_fast",      "malformed",     "shut_out",    "key_taken_away", "other_name",
    "other_version", "other_cluster", "not_allowed", "slow_reader",    "late_answer"};

// Addresses and keys that are counted at a time: who has many addresses must not take our memory.
constexpr std::size_t kMostCounted = 10'000;

constexpr const char* kGone = "somebody who has gone";
constexpr const char* kNotGreeted =
    "its connection ended before it had said who it is: it has no key, another protocol, or expected another key";
constexpr const char* kUnixSocket = "a Unix socket";
constexpr const char* kStaysOutside = "it has to stay outside for a while";

// A descriptor of our own for the same socket: whatever becomes of the other one meanwhile, this is what was looked at.
// Where there is none left, libzmq's own is looked at: who takes the last one must not be passed over for that, and
// which socket it is is asked just before it is acted on.
class Held {
 public:
  explicit Held(int descriptor)
      : copy_(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)), used_(copy_ < 0 ? descriptor : copy_) {}
  // A function of its own, so that the thread sanitizer's report of it can be told from others (tests/tsan.supp).
  [[gnu::noinline]] ~Held() {
    if (copy_ >= 0) ::close(copy_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  int get() const { return used_; }
  /// Which socket it is, among all of the machine. 0: it is none.
  ino_t socket() const {
    struct stat status {};
    return ::fstat(used_, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
  }

 private:
  const int copy_;
  const int used_;
};

// The port, or the path, that a connection was made to.
std::string local_end_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  switch (storage.ss_family) {
    case AF_INET:
      return std::to_string(ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port));
    case AF_INET6:
      return std::to_string(ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port));
    default:
      return reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  }
}

struct Place {
  std::string address;
  std::string with_port;
  bool is_local = false;  // of a Unix socket
};

std::string unmapped(const in6_addr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  }
  return text.data();
}

Place place_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {"?", "?"};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port))};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    const std::string text = unmapped(v6.sin6_addr);
    const bool brackets = text.find(':') != std::string::npos;
    return {text, (brackets ? "[" + text + "]" : text) + ":" + std::to_string(ntohs(v6.sin6_port))};
  }
  ucred peer{};
  size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {"?", "?"};
  const std::string user = "user " + std::to_string(peer.uid);
  return {user, user + ", process " + std::to_string(peer.pid), true};
}

}  // namespace

std::string_view name_of(TurnedAway why) noexcept { return kNames.at(static_cast<std::size_t>(why)); }

Door::Door(std::string plane, DoorLimits limits, std::shared_ptr<const keys::Keyring> keyring, bool nodes_only,
           DoorReport report)
    : plane_(std::move(plane)),
      limits_(limits),
      keyring_(std::move(keyring)),
      nodes_only_(nodes_only),
      report_(std::move(report)) {}

bool Door::lets_in(const keys::PublicKey& key, std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";  // an IPv4 address, at a socket for both
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  address = address.substr(0, address.find('%'));  // the interface of one that is the link's own
  const std::string at(address.empty() ? kUnixSocket : address);
  if (may_come_in(key, at)) return true;
  const MutexLock lock(mutex_);
  if (at_gate_.size() >= kMostCounted) at_gate_.clear();  // who never came to its end: those may be told twice
  ++at_gate_[at];
  return false;
}

bool Door::may_come_in(const keys::PublicKey& key, const std::string& at) const {
  const auto authorized = keyring_->authorized();
  const keys::Identity* owner = authorized->find(key);
  if (owner == nullptr) {
    tell(TurnedAway::unlisted_key, at, "key " + key.text() + " is not in security.authorized");
    return false;
  }
  const std::string who = owner->name + " at " + at;
  if (nodes_only_ && owner->role != keys::Role::node) {
    tell(TurnedAway::other_role, who,
         "its key has the role " + std::string(keys::name_of(owner->role)) + ", here only nodes come in");
    return false;
  }
  if (!is_shut_out(key.text(), std::chrono::steady_clock::now())) return true;
  tell(TurnedAway::shut_out, who, kStaysOutside);
  return false;
}

// The connection that ends now may be one that the gatekeeper has refused, which has been told.
bool Door::was_told_at_gate(const Visitor& visitor) {
  const MutexLock lock(mutex_);
  const auto found = at_gate_.find(visitor.is_local ? kUnixSocket : visitor.address);
  if (found == at_gate_.end()) return false;
  if (--found->second == 0) at_gate_.erase(found);
  return true;
}

void Door::listens_at(const std::string& bound_address) {
  const bool is_path = bound_address.starts_with("ipc://");
  local_ = bound_address.substr(is_path ? 6 : bound_address.rfind(':') + 1);
}

void Door::accepted(int descriptor, Time now) {
  const Held held(descriptor);
  const ino_t socket = held.socket();
  if (socket == 0 || local_end_of(held.get()) != local_) return;  // it has ended already
  Place place = place_of(held.get());
  Visitor& visitor = visitors_[descriptor];
  if (visitor.socket == socket) return;
  no_stranger(visitor);
  visitor = {.socket = socket,
             .address = std::move(place.address),
             .place = std::move(place.with_port),
             .is_local = place.is_local,
             .since = now,
             .number = ++last_number_,
             .strange = true};
  ++strange_;
  strangers_.emplace_back(descriptor, visitor.number);
  if (is_shut_out(visitor.address, now)) {
    refuse(visitor, descriptor, TurnedAway::shut_out, kStaysOutside);
  } else if (is_too_fast(visitor.address, now)) {
    refuse(visitor, descriptor, TurnedAway::too_fast,
           "its address has opened more than " + std::to_string(limits_.handshakes) + " connections within a second");
  } else {
    make_room();
  }
}

// Where there are too many, the oldest of those who have not said who they are goes, as who means it well says so at
// once. That may be the newest of all.
void Door::make_room() {
  if (visitors_.size() <= limits_.connections && strange_ <= limits_.strangers) return;
  Visitor* oldest = oldest_stranger();
  if (oldest == nullptr) return;
  refuse(*oldest, strangers_.front().first, TurnedAway::too_many,
         "there were more connections than limits.connections or limits.strangers allows");
}

// Then it is the first of the list.
Door::Visitor* Door::oldest_stranger() {
  for (; !strangers_.empty(); strangers_.pop_front()) {
    const auto [descriptor, number] = strangers_.front();
    const auto visitor = visitors_.find(descriptor);
    if (visitor != visitors_.end() && visitor->second.number == number && visitor->second.strange) {
      return &visitor->second;
    }
  }
  return nullptr;
}

void Door::refuse(Visitor& visitor, int descriptor, TurnedAway why, std::string_view text) {
  tell(why, visitor.name.empty() ? visitor.place : visitor.name + " at " + visitor.place, text);
  no_stranger(visitor);
  hang_up(descriptor, visitor);
}

void Door::disconnected(int descriptor, Time now) {
  auto found = visitors_.extract(descriptor);
  if (!found) return ended_unseen();
  Visitor& visitor = found.mapped();
  if (!visitor.name.empty()) return;
  const bool was_told = was_told_at_gate(visitor);
  if (!visitor.strange) return;  // it was hung up on
  no_stranger(visitor);
  if (!was_told) tell(TurnedAway::not_greeted, visitor.place, kNotGreeted);
  count_error(visitor.address, now);
}

// It came and went before its descriptor was looked at. If it was one that the gatekeeper has refused, that has been
// told; which of those it was, nobody knows any more.
void Door::ended_unseen() {
  {
    const MutexLock lock(mutex_);
    if (const auto any = at_gate_.begin(); any != at_gate_.end()) {
      if (--any->second == 0) at_gate_.erase(any);
      return;
    }
  }
  tell(TurnedAway::not_greeted, kGone, kNotGreeted);
}

void Door::greeted(int descriptor, std::string_view name) {
  const auto visitor = visitors_.find(descriptor);
  if (visitor == visitors_.end()) return;
  no_stranger(visitor->second);
  visitor->second.name = name.empty() ? "a client" : name;
}

std::string Door::who(int descriptor) const {
  const auto visitor = visitors_.find(descriptor);
  if (visitor == visitors_.end()) return kGone;
  const Visitor& known = visitor->second;
  return known.name.empty() ? known.place : known.name + " at " + known.place;
}

bool Door::misbehaved(int descriptor, const keys::PublicKey* key, TurnedAway why, std::string_view text, Time now) {
  tell(why, who(descriptor), text);
  const auto visitor = visitors_.find(descriptor);
  if (visitor == visitors_.end()) return false;
  if (!count_error(key != nullptr ? key->text() : visitor->second.address, now)) return false;
  refuse(visitor->second, descriptor, TurnedAway::shut_out,
         "it has done more than " + std::to_string(limits_.protocol_errors) + " such things within a minute");
  return true;
}

void Door::strange(int descriptor, const keys::PublicKey* key, std::string_view text, Time now) {
  const auto visitor = visitors_.find(descriptor);
  if (visitor != visitors_.end() && visitor->second.strange) {
    misbehaved(descriptor, key, TurnedAway::malformed, text, now);
  }
}

void Door::turn_away(int descriptor, TurnedAway why, std::string_view text) {
  tell(why, who(descriptor), text);
  hang_up(descriptor);
}

void Door::hang_up(int descriptor) noexcept {
  const auto visitor = visitors_.find(descriptor);
  if (visitor == visitors_.end()) return;
  no_stranger(visitor->second);
  hang_up(descriptor, visitor->second);
}

void Door::hang_up(int descriptor, const Visitor& visitor) noexcept {
  const Held held(descriptor);
  if (held.socket() == visitor.socket) ::shutdown(held.get(), SHUT_RDWR);
}

void Door::tick(Time now) {
  for (Visitor* oldest = oldest_stranger(); oldest != nullptr && now >= oldest->since + limits_.greeting;
       oldest = oldest_stranger()) {
    refuse(*oldest, strangers_.front().first, TurnedAway::too_slow,
           "it has not said who it is within " + std::to_string(limits_.greeting.count()) + " ms");
    count_error(oldest->address, now);
  }
}

// ------------------------------------------------------------------------------------------------------- counting

Door::Count& Door::count_of(const std::string& who, Time now) {
  if (counts_.size() >= kMostCounted && !counts_.contains(who)) {
    // Not each time: who has very many addresses must not have us look through all of them for each.
    if (now >= next_sweep_) {
      std::erase_if(counts_,
                    [&](const auto& entry) { return now >= entry.second.errors_begun + std::chrono::minutes(1); });
      next_sweep_ = now + std::chrono::seconds(1);
    }
    if (counts_.size() >= kMostCounted) counts_.erase(counts_.begin());
  }
  return counts_[who];
}

bool Door::is_too_fast(const std::string& address, Time now) {
  Count& count = count_of(address, now);
  if (now >= count.begun + std::chrono::seconds(1)) {
    count.begun = now;
    count.connections = 0;
  }
  return ++count.connections > limits_.handshakes;
}

// True: that was one too many; it stays outside from now on.
bool Door::count_error(const std::string& who, Time now) {
  Count& count = count_of(who, now);
  if (now >= count.errors_begun + std::chrono::minutes(1)) {
    count.errors_begun = now;
    count.errors = 0;
  }
  if (++count.errors <= limits_.protocol_errors) return false;
  count.errors = 0;
  const MutexLock lock(mutex_);
  std::erase_if(shut_out_, [&](const auto& entry) { return now >= entry.second; });
  if (shut_out_.size() < kMostCounted) shut_out_[who] = now + limits_.shut_out;
  return true;
}

bool Door::is_shut_out(const std::string& who, Time now) const {
  const MutexLock lock(mutex_);
  const auto found = shut_out_.find(who);
  return found != shut_out_.end() && now < found->second;
}

}  // namespace busbar::registry::net

// Accounts with money in them, in memory: the example that Busbar's guide for authors is written around.
#pragma once

#include <busbar/plugin.hpp>
#include <busbar/thread_safety.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

// ---- what callers send and get

/// Names an account: one to open, or to look at.
struct Named {
  std::optional<std::string> account;  // left out, open_account makes an id
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(account));
  }
  void validate(busbar::Problems& problems) const;
};

/// Brings money, or takes it away.
struct Movement {
  std::string account;
  std::int64_t cents = 0;
  std::optional<std::int64_t> expected_version;  // where it is given, the account must still have it
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(account), CEREAL_NVP(cents), CEREAL_NVP(expected_version));
  }
  void validate(busbar::Problems& problems) const;
};

/// What is in an account.
struct Balance {
  std::string owner;
  std::int64_t cents = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(owner), CEREAL_NVP(cents));
  }
};

/// What happened to an account.
struct AccountEvent {
  std::string what;  // "opened", "deposited", "withdrawn"
  std::string account;
  std::int64_t cents = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(what), CEREAL_NVP(account), CEREAL_NVP(cents));
  }
};

/// The table [plugin.accounts] of the host's configuration.
struct Settings {
  std::int64_t check_from = 100'000;  // cents; withdrawals from here on are shown to fraud_check
  template <class Archive>
  void serialize(Archive& archive) {
    archive(busbar::field("check_from", check_from, 100'000));
  }
};

// ---- the router

class Accounts final : public busbar::Router {
 public:
  Accounts();
  busbar::Authorization authorize(const busbar::Message& message) override;
  void start(const busbar::Payload& config) override;

 private:
  struct Account {
    std::string owner;
    std::int64_t cents = 0;
    std::int64_t version = 1;
  };

  enum class Way { in, out };

  busbar::Response open(const Named& request, busbar::Context& context);
  busbar::Response deposit(const Movement& request, busbar::Context& context);
  busbar::Response withdraw(const Movement& request, busbar::Context& context);
  busbar::Response balance(const Named& request, busbar::Context& context);

  busbar::Response move(Way way, const Movement& request, busbar::Context& context);
  std::optional<busbar::Response> fault(Way way, const Movement& request) const BUSBAR_REQUIRES(mutex_);
  std::optional<busbar::Response> refusal_of_check(const Movement& request, busbar::Context& context) const;

  Settings settings_;  // written by start alone
  busbar::Mutex mutex_;
  std::map<std::string, Account, std::less<>> accounts_ BUSBAR_GUARDED_BY(mutex_);
};

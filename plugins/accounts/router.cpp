#include "router.hpp"

#include <stdexcept>

using busbar::Context;
using busbar::Message;
using busbar::Payload;
using busbar::Response;

namespace {

constexpr std::int64_t kMost = 1'000'000'000'000;  // cents, moved at once or held: no sum of them overflows

Response unknown(std::string_view account) {
  return Response::error("unknown_account", "there is no account \"" + std::string(account) + "\"");
}

}  // namespace

// ---- requests

void Named::validate(busbar::Problems& problems) const {
  if (account && (account->empty() || account->size() > 64)) {
    problems.add("account", "1 to 64 bytes", std::to_string(account->size()));
  }
}

void Movement::validate(busbar::Problems& problems) const {
  if (account.empty()) problems.add("account", "an account's id", "\"\"");
  if (cents < 1 || cents > kMost) problems.add("cents", "1 to " + std::to_string(kMost), std::to_string(cents));
}

// ---- the router

Accounts::Accounts() {
  service("open_account", &Accounts::open)
      .doc("Opens an account for the user who asks. The other examples are about the one that its example opens.")
      .example(Named{"a-1"}, {{"user", "ann"}})
      .dry_run_safe();
  service("deposit", &Accounts::deposit)
      .doc("Brings money to an account.")
      .example(Movement{"a-1", 500, {}}, {{"user", "ann"}})
      .dry_run_safe();
  service("withdraw", &Accounts::withdraw)
      .doc("Takes money from an account; its owner's alone. Its example takes of what that of deposit has brought.")
      .example(Movement{"a-1", 200, {}}, {{"user", "ann"}})
      .dry_run_safe();
  service("balance", &Accounts::balance)
      .doc("What is in an account; its owner's alone.")
      .example(Named{"a-1"}, {{"user", "ann"}})
      .dry_run_safe()
      .idempotent();
}

void Accounts::start(const Payload& config) {
  settings_ = config.as<Settings>();
  if (settings_.check_from < 1) {
    throw std::invalid_argument("check_from is " + std::to_string(settings_.check_from) + ", expected 1 or more");
  }
}

namespace {

/// The text that `read` reads, or nothing where something else stands there.
template <class Read>
std::optional<std::string> text_from(Read read) {
  try {
    return read();
  } catch (const busbar::DecodeError&) {
  } catch (const busbar::MalformedPayload&) {
  }
  return std::nullopt;
}

/// For whom a client's call is: for itself, as its key says. Others speak for their users.
std::string user_of(const Message& message) {
  const bool is_client =
      message.caller() == busbar::CallerKind::client || message.caller() == busbar::CallerKind::deployer;
  if (is_client) return std::string(message.caller_name());
  return text_from([&] { return message.assigned<std::string>("user"); }).value_or("");
}

/// Whether a client says that it asks for somebody else.
bool claims_to_be_another(const Message& message) {
  const auto claimed = text_from([&] { return message.assigned<std::string>("user"); });
  return claimed && *claimed != user_of(message);
}

}  // namespace

busbar::Authorization Accounts::authorize(const Message& message) {
  const std::string user = user_of(message);
  if (user.empty()) return busbar::refused("unauthenticated", "nobody is said to ask: assign \"user\"");
  if (claims_to_be_another(message)) return busbar::forbidden();
  if (message.service_name() == "open_account" || message.service_name() == "deposit") return busbar::authorized();
  const auto id = text_from([&] { return message.raw_field<std::string>("account"); });
  if (!id) return busbar::authorized();  // what is wrong with the request is for its handler to say
  const busbar::MutexLock lock(mutex_);
  const auto account = accounts_.find(*id);
  if (account == accounts_.end()) return busbar::refused(unknown(*id));
  return account->second.owner == user ? busbar::authorized() : busbar::forbidden();
}

Response Accounts::open(const Named&, Context& context) {
  Message& message = context.message();
  const std::string id = *message.prepare_aggregate_id("account", true).aggregate_id();
  const busbar::MutexLock lock(mutex_);
  if (accounts_.contains(id)) return Response::error("account_exists", "there is an account \"" + id + "\" already");
  message.add_event(AccountEvent{"opened", id});
  if (message.dry_run() != busbar::DryRun::no) return Response::ok_version(0);
  accounts_[id] = Account{user_of(message)};
  return Response::created(id, 1);
}

Response Accounts::balance(const Named&, Context& context) {
  Message& message = context.message();
  if (message.prepare_aggregate_id("account").halted()) return message.response();
  const busbar::MutexLock lock(mutex_);
  const auto found = accounts_.find(*message.aggregate_id());
  if (found == accounts_.end()) return unknown(*message.aggregate_id());
  const Account& account = found->second;
  if (message.dry_run() != busbar::DryRun::no) return Response::ok_version(account.version);
  return Response::ok(Balance{account.owner, account.cents}, account.version);
}

Response Accounts::deposit(const Movement& request, Context& context) { return move(Way::in, request, context); }

Response Accounts::withdraw(const Movement& request, Context& context) {
  {
    const busbar::MutexLock lock(mutex_);
    if (auto wrong = fault(Way::out, request)) return *std::move(wrong);
  }
  // Without the lock: others are asked, which takes its time. So `move` looks again.
  if (auto refusal = refusal_of_check(request, context)) return *std::move(refusal);
  return move(Way::out, request, context);
}

Response Accounts::move(Way way, const Movement& request, Context& context) {
  Message& message = context.message();
  const busbar::MutexLock lock(mutex_);
  if (auto wrong = fault(way, request)) return *std::move(wrong);
  message.add_event(AccountEvent{way == Way::in ? "deposited" : "withdrawn", request.account, request.cents});
  Account& account = accounts_.find(request.account)->second;
  if (message.dry_run() != busbar::DryRun::no) return Response::ok_version(account.version);
  account.cents += way == Way::in ? request.cents : -request.cents;
  ++account.version;
  if (way == Way::in) return Response::ok_version(account.version);  // whoever deposits need not see the balance
  return Response::ok(Balance{account.owner, account.cents}, account.version);
}

std::optional<Response> Accounts::fault(Way way, const Movement& request) const {
  const auto found = accounts_.find(request.account);
  if (found == accounts_.end()) return unknown(request.account);
  const Account& account = found->second;
  if (request.expected_version.value_or(account.version) != account.version) {
    return Response::error("conflict", "the account has changed; the value is its version",
                           Payload::of(account.version));
  }
  if (way == Way::out && account.cents < request.cents) {
    return Response::error("insufficient_funds", "the account holds less; the value is how much",
                           Payload::of(account.cents));
  }
  if (way == Way::in && account.cents > kMost - request.cents) {
    return Response::error("account_full", "an account holds at most " + std::to_string(kMost) + " cents");
  }
  return std::nullopt;
}

std::optional<Response> Accounts::refusal_of_check(const Movement& request, Context& context) const {
  if (request.cents < settings_.check_from) return std::nullopt;
  Message question = context.caused("fraud_check", request).with_dry_run(context.message().dry_run());
  const Response answer = context.dispatch(question).response();
  if (answer.succeeded()) return std::nullopt;
  if (answer.kind() == Response::Kind::service_unavailable) {
    context.log().warn("nobody offers fraud_check: " + std::to_string(request.cents) + " cents go unchecked");
    return std::nullopt;
  }
  if (answer.is_error("suspicious")) return answer;
  return Response::error("not_checked", "fraud_check gave no verdict; try again");
}

BUSBAR_PLUGIN(Accounts, "accounts", "1.0.0")

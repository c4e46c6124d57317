// The plugin `accounts`, as its author would test it: with the test kit, without a host.
#include <busbar/testing/kit.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "accounts/router.hpp"

namespace {

using busbar::DryRun;
using busbar::Message;
using busbar::Response;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;
using Kind = Response::Kind;

class AccountsTest : public ::testing::Test {
 protected:
  AccountsTest() { open("ann", "a"), as("ann", "deposit", Movement{"a", 500, {}}); }  // version 2

  template <class Request>
  Response as(const char* user, const char* service, const Request& request) {
    return host.call(Message::of(service, request).assign("user", user)).response();
  }
  Response open(const char* user, const char* account) { return as(user, "open_account", Named{account}); }
  Response withdraw(std::int64_t cents, std::optional<std::int64_t> version = {}) {
    return as("ann", "withdraw", Movement{"a", cents, version});
  }
  Balance balance() { return as("ann", "balance", Json{{"account", "a"}}).value_as<Balance>(); }

  busbar::kit::Host<Accounts> host{{{"check_from", 1000}}};
};

// ---- opening

TEST_F(AccountsTest, OpensAnAccountOfThisIdAtVersionOne) {
  const Response response = open("bob", "b");
  EXPECT_EQ(response.kind(), Kind::created);
  EXPECT_EQ(response.id(), "b");
  EXPECT_EQ(response.version(), 1);
  EXPECT_EQ(as("bob", "balance", Json{{"account", "b"}}).value_as<Balance>().owner, "bob");
}

TEST_F(AccountsTest, C_M7_MakesAnIdWhereNoneIsGiven) {
  const Response first = as("bob", "open_account", Named{}), second = as("bob", "open_account", Named{});
  EXPECT_THAT(std::string(first.id()), SizeIs(22));
  EXPECT_NE(first.id(), second.id());
  EXPECT_TRUE(as("bob", "balance", Json{{"account", std::string(first.id())}}).succeeded());
}

TEST_F(AccountsTest, OpensNoIdTwice) {
  EXPECT_TRUE(open("bob", "a").is_error("account_exists"));
  EXPECT_EQ(balance().owner, "ann");
}

// ---- requests that do not fit

TEST_F(AccountsTest, NamesEverythingThatIsWrongWithARequest) {
  const Response response = as("ann", "deposit", Movement{"", -1, {}});
  ASSERT_EQ(response.kind(), Kind::validation_error);
  const auto details = response.value().to_json();
  ASSERT_THAT(details, SizeIs(2));
  EXPECT_EQ(details[0]["path"], "account");
  EXPECT_EQ(details[1]["path"], "cents");
  EXPECT_EQ(details[1]["found"], "-1");
  EXPECT_EQ(as("ann", "deposit", Movement{"a", 0, {}}).kind(), Kind::validation_error);
  EXPECT_EQ(as("ann", "open_account", Named{""}).kind(), Kind::validation_error);
  EXPECT_EQ(as("ann", "open_account", Named{std::string(65, 'a')}).kind(), Kind::validation_error);
  EXPECT_EQ(as("ann", "withdraw", Json{{"account", 7}}).kind(), Kind::validation_error) << "also past authorize";
  EXPECT_EQ(as("ann", "withdraw", 7).kind(), Kind::validation_error);
}

TEST_F(AccountsTest, C_R3_AnIdThatIsNoTextReachesNoAccount) {
  open("ann", "7");
  for (const auto* service : {"balance", "withdraw"}) {
    const Response response = as("bob", service, Json{{"account", 7}, {"cents", 1}});
    EXPECT_EQ(response.kind(), Kind::validation_error) << service;
  }
}

TEST_F(AccountsTest, C_M7_AnswersMissingIdWhereABalanceIsAskedOfNoAccount) {
  EXPECT_EQ(as("ann", "balance", Json::object()).kind(), Kind::missing_id);
  EXPECT_EQ(as("ann", "balance", Json::object()).field(), "account");
}

TEST_F(AccountsTest, AnswersThatThereIsNoSuchAccount) {
  for (const auto* service : {"deposit", "withdraw", "balance"})
    EXPECT_TRUE(as("ann", service, Movement{"none", 1, {}}).is_error("unknown_account")) << service;
}

// ---- who may

TEST_F(AccountsTest, C_R3_NobodyMayDoAnythingWithoutAUser) {
  for (const auto* service : {"open_account", "deposit", "withdraw", "balance"})
    EXPECT_TRUE(host.call(service, Movement{"a", 1, {}}).response().is_error("unauthenticated")) << service;
  const Message strange = Message::of("deposit", Movement{"a", 1, {}}).assign("user", 7);
  EXPECT_TRUE(host.call(strange).response().is_error("unauthenticated"));
}

TEST_F(AccountsTest, C_R3_OthersMayDepositButNotWithdrawOrLook) {
  const Response deposited = as("bob", "deposit", Movement{"a", 100, {}});
  EXPECT_TRUE(deposited.succeeded());
  EXPECT_TRUE(deposited.value().empty()) << "nor see the balance so";
  EXPECT_TRUE(as("bob", "withdraw", Movement{"a", 1, {}}).is_error("forbidden"));
  EXPECT_TRUE(as("bob", "balance", Json{{"account", "a"}}).is_error("forbidden"));
  EXPECT_EQ(balance().cents, 600);
}

// ---- money, and versions

TEST_F(AccountsTest, MovesMoneyAndCountsTheVersionUp) {
  EXPECT_EQ(as("ann", "deposit", Movement{"a", 100, {}}).version(), 3);
  const Response response = withdraw(250);
  EXPECT_EQ(response.version(), 4);
  EXPECT_EQ(response.value_as<Balance>().cents, 350);
  EXPECT_EQ(as("ann", "balance", Json{{"account", "a"}}).version(), 4);
  EXPECT_EQ(balance().cents, 350);
}

TEST_F(AccountsTest, RefusesWithTheFoundVersionWhereAnotherWasExpected) {
  const Response response = withdraw(1, 1);
  EXPECT_TRUE(response.is_error("conflict"));
  EXPECT_EQ(response.value_as<std::int64_t>(), 2);
  EXPECT_EQ(balance().cents, 500);
  EXPECT_TRUE(withdraw(1, 2).succeeded());
}

TEST_F(AccountsTest, KeepsWhatItHoldsWithinItsBounds) {
  const Response response = withdraw(501);
  EXPECT_TRUE(response.is_error("insufficient_funds"));
  EXPECT_EQ(response.value_as<std::int64_t>(), 500);
  EXPECT_TRUE(as("ann", "deposit", Movement{"a", 1'000'000'000'000, {}}).is_error("account_full"));
  EXPECT_TRUE(withdraw(500).succeeded());
}

TEST_F(AccountsTest, OfManyWithdrawalsAtOnceNoneIsLostOrDoubled) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 100; ++k) withdraw(1);
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(balance().cents, 100);
}

// ---- dry run

TEST_F(AccountsTest, C_D10_AValidDryRunAnswersTheVersionAndDoesNothing) {
  const auto validate = [&](const char* service, const Movement& request) {
    return host.validate(Message::of(service, request).assign("user", "ann")).response();
  };
  for (const auto* service : {"deposit", "withdraw", "balance"}) {
    const Response response = validate(service, Movement{"a", 100, {}});
    EXPECT_EQ(response.kind(), Kind::ok) << service;
    EXPECT_TRUE(response.value().empty()) << service;
    EXPECT_EQ(response.version(), 2) << service;
  }
  EXPECT_EQ(validate("open_account", Movement{"c", 1, {}}).version(), 0);
  EXPECT_TRUE(as("ann", "balance", Json{{"account", "c"}}).is_error("unknown_account"));
  EXPECT_EQ(balance().cents, 500);
}

TEST_F(AccountsTest, C_D10_AnInvalidDryRunAnswersTheErrorOfTheRealCall) {
  for (const auto& [service, request] : std::vector<std::pair<const char*, Movement>>{{"withdraw", {"a", 501, {}}},
                                                                                      {"withdraw", {"a", 1, 1}},
                                                                                      {"deposit", {"none", 1, {}}},
                                                                                      {"open_account", {"a", 1, {}}}}) {
    const Message message = Message::of(service, request).assign("user", "ann");
    const Response validated = host.validate(message).response(), real = host.call(message).response();
    EXPECT_EQ(validated.kind(), Kind::error) << service;
    EXPECT_EQ(validated.error_code(), real.error_code());
    EXPECT_EQ(validated.value().to_json(), real.value().to_json());
  }
}

TEST_F(AccountsTest, C_R5_AVerboseDryRunShowsWhatWouldHappen) {
  const auto message = Message::of("withdraw", Movement{"a", 100, {}}).assign("user", "ann");
  const auto events = host.call(Message(message).with_dry_run(DryRun::verbose)).events_json();
  EXPECT_THAT(events, ElementsAre(Json{{"what", "withdrawn"}, {"account", "a"}, {"cents", 100}}));
  EXPECT_THAT(
      host.call(Message::of("withdraw", Movement{"a", 501, {}}).assign("user", "ann").with_dry_run(DryRun::verbose))
          .events_json(),
      IsEmpty());
}

// ---- the check of large withdrawals

class LargeWithdrawal : public AccountsTest {
 protected:
  LargeWithdrawal() { as("ann", "deposit", Movement{"a", 5000, {}}); }
};

TEST_F(LargeWithdrawal, IsShownToFraudCheckWithItsCause) {
  host.fake("fraud_check", Response::ok());
  const Message sent = Message::of("withdraw", Movement{"a", 1000, {}}).assign("user", "ann");
  EXPECT_TRUE(host.call(sent).response().succeeded());
  ASSERT_THAT(host.dispatched("fraud_check"), SizeIs(1));
  const Message asked = host.dispatched("fraud_check")[0].message;
  EXPECT_EQ(asked.raw_request_as<Movement>().cents, 1000);
  EXPECT_EQ(asked.causation_id(), sent.id()) << "C-M3";
  EXPECT_TRUE(withdraw(999).succeeded());
  EXPECT_THAT(host.dispatched("fraud_check"), SizeIs(1)) << "smaller ones are not";
}

TEST_F(LargeWithdrawal, IsRefusedWithTheReasonOfFraudCheck) {
  host.fake("fraud_check", Response::error("suspicious", "the third today"));
  EXPECT_TRUE(withdraw(1000).is_error("suspicious"));
  EXPECT_EQ(withdraw(1000).text(), "the third today");
  EXPECT_EQ(balance().cents, 5500);
}

TEST_F(LargeWithdrawal, GoesThroughWithAWarningWhereNobodyChecks) {
  EXPECT_TRUE(withdraw(1000).succeeded());
  ASSERT_THAT(host.log(), SizeIs(1));
  EXPECT_EQ(host.log().back().level, "warn");
  EXPECT_THAT(host.log().back().text, HasSubstr("fraud_check"));
}

TEST_F(LargeWithdrawal, IsRefusedWhereTheCheckFails) {
  host.fake("fraud_check", [](const Message&) -> Response { throw std::runtime_error("no database"); });
  EXPECT_TRUE(withdraw(1000).is_error("not_checked"));
  EXPECT_EQ(balance().cents, 5500);
}

TEST_F(LargeWithdrawal, TimesOutWithTheCheckAndMovesNothing) {
  host.fake("fraud_check", Response::ok(), busbar::kit::never);
  EXPECT_EQ(withdraw(1000).kind(), Kind::service_timeout);
  EXPECT_EQ(balance().cents, 5500);
}

TEST_F(LargeWithdrawal, SeesWhatHasChangedWhileItWasChecked) {
  host.fake("fraud_check", [&](const Message&) {
    EXPECT_TRUE(withdraw(900).succeeded());
    return Response::ok();
  });
  EXPECT_TRUE(withdraw(1000, 3).is_error("conflict"));
  EXPECT_EQ(balance().cents, 4600);
}

TEST_F(LargeWithdrawal, C_D10_IsCheckedInADryRunToo) {
  host.fake("fraud_check", [](const Message& message) {
    return message.dry_run() == DryRun::yes ? Response::error("suspicious") : Response::ok();
  });
  const auto message = Message::of("withdraw", Movement{"a", 1000, {}}).assign("user", "ann");
  EXPECT_TRUE(host.validate(message).response().is_error("suspicious"));
}

// ---- configuration

TEST_F(AccountsTest, StartsWithoutConfigurationAndRefusesABadOne) {
  EXPECT_NO_THROW(busbar::kit::Host<Accounts>{});
  try {
    busbar::kit::Host<Accounts> refused({{"check_from", 0}});
    FAIL() << "it was started";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "start failed: check_from is 0, expected 1 or more");
  }
}

}  // namespace

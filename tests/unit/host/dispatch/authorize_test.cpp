// Authorization before each call, and asking for it alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/hub.hpp"

namespace busbar::testing {
namespace {

using host::AuthorizationAnswer;

class PlainRouter final : public Router {
 public:
  PlainRouter() { service("plain", &PlainRouter::serve); }

 private:
  int serve() {
    ADD_FAILURE() << "the handler ran without being authorized";
    return 1;
  }
};

class Authorize : public ::testing::TestWithParam<Form> {
 protected:
  Message call(Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, GetParam());
  }
  // A service that must not be reached unless it is authorized.
  Script guarded(std::function<Authorization(const Message&)> decide, std::uint32_t flags = 0) {
    return Script()
        .on(
            "guarded",
            [this](Message&, Context&) {
              ++runs;
              return Response::ok();
            },
            flags)
        .authorize_with(std::move(decide));
  }
  std::atomic<int> runs{0};
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(BothForms, Authorize, ::testing::Values(Form::blocking, Form::async),
                         [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; });

TEST_P(Authorize, C_R3_ForbidsEverythingWhereItIsNotOverridden) {
  hub.add<PlainRouter>("p");
  EXPECT_TRUE(call(Message("plain")).response().is_error("forbidden"));
}

TEST_P(Authorize, C_R3_ForbidsEverythingInACRouterWithoutTheFunction) {
  CRouter router("no_authorize", [](busbar_call*, const busbar_message*) {
    ADD_FAILURE() << "the handler ran without being authorized";
    return 0u;
  });
  router.c_router().authorize = nullptr;
  hub.add("p", router);
  EXPECT_TRUE(call(Message("no_authorize")).response().is_error("forbidden"));
}

TEST_P(Authorize, C_R3_SeesTheAssignsAndLetsThroughWhatItAuthorizes) {
  hub.add("p", guarded([](const Message& m) { return m.assigned<int>("user") == 7 ? authorized() : forbidden(); }));
  EXPECT_TRUE(call(Message("guarded")).response().is_error("forbidden"));
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(call(Message("guarded").assign("user", 7)).response().succeeded());
  EXPECT_EQ(runs, 1);
}

TEST_P(Authorize, C_R3_AnswersTheErrorThatItReturns) {
  hub.add("p", guarded([](const Message&) { return refused("too_late", "come back tomorrow"); }));
  const Message back = call(Message("guarded"));
  EXPECT_TRUE(back.response().is_error("too_late"));
  EXPECT_EQ(back.response().text(), "come back tomorrow");
  EXPECT_EQ(runs, 0);
}

TEST_P(Authorize, C_R3_NeverLetsThroughWhatIsNotAuthorized) {
  for (const Response& answer : {Response::ok(1), Response::created("id"), Response::missing_id("x")}) {
    hub.registry().withdraw_router("p");
    hub.add("p", guarded([&](const Message&) { return refused(answer); }));
    const Message back = call(Message("guarded"));
    EXPECT_EQ(back.response().kind(), Response::Kind::error);
  }
  EXPECT_EQ(runs, 0);
}

TEST_P(Authorize, C_D7_AnswersBadRpcExitWhenItThrows) {
  hub.add("p", guarded([](const Message&) -> Authorization { throw std::runtime_error("cannot decide"); }));
  const Message back = call(Message("guarded"), {kMaxTimeoutMs});
  EXPECT_TRUE(back.response().is_bad_rpc("exit"));
  EXPECT_EQ(runs, 0);
}

TEST_P(Authorize, C_R3_TreatsAVerdictThatIsNoneAsNotAuthorized) {
  CRouter router("odd", [](busbar_call*, const busbar_message*) {
    ADD_FAILURE() << "the handler ran without being authorized";
    return 0u;
  });
  router.authorize = [](busbar_call*, const busbar_message*) { return 77u; };
  hub.add("p", router);
  EXPECT_TRUE(call(Message("odd")).response().is_bad_rpc("bad_return"));
}

TEST_P(Authorize, C_R3_RunsWhereTheHandlerWillRun) {
  std::thread::id where;
  bool on_worker = false;
  const auto note = [&](const Message&) {
    where = std::this_thread::get_id();
    on_worker = host::Pool::on_worker();
    return authorized();
  };
  hub.add("pooled", guarded(note));
  call(Message("guarded"));
  EXPECT_TRUE(on_worker);
  hub.registry().withdraw_router("pooled");
  hub.add("inline", guarded(note, BUSBAR_SERVICE_INLINE));
  call(Message("guarded"));
  EXPECT_EQ(where, std::this_thread::get_id());
  EXPECT_FALSE(on_worker);
}

// ------------------------------------------------------------------------------------------- asking for it alone

class Authorized : public ::testing::Test {
 protected:
  AuthorizationAnswer ask(Message message, host::DispatchOptions options = {}) {
    return hub.dispatcher().authorized(std::move(message), options);
  }
  Script deciding(std::function<Authorization(const Message&)> decide, std::uint32_t flags = 0) {
    return Script()
        .on(
            "guarded",
            [](Message&, Context&) {
              ADD_FAILURE() << "the handler ran, though only the authorization was asked for";
              return Response::ok();
            },
            flags)
        .authorize_with(std::move(decide));
  }
  Hub hub;
};

TEST_F(Authorized, C_D11_AnswersYesWithoutRunningTheHandler) {
  hub.add("p", deciding([](const Message&) { return authorized(); }));
  EXPECT_EQ(ask(Message("guarded")).kind, AuthorizationAnswer::Kind::yes);
}

TEST_F(Authorized, C_D11_AnswersYesForAnInlineServiceToo) {
  hub.add("p", deciding([](const Message&) { return authorized(); }, BUSBAR_SERVICE_INLINE));
  EXPECT_EQ(ask(Message("guarded")).kind, AuthorizationAnswer::Kind::yes);
}

TEST_F(Authorized, C_D11_AnswersNoWithTheRefusal) {
  hub.add("p", deciding([](const Message&) { return refused("too_late"); }));
  const auto answer = ask(Message("guarded"));
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::no);
  EXPECT_TRUE(answer.response.is_error("too_late"));
}

TEST_F(Authorized, C_D11_AnswersNoWhereNothingIsOverridden) {
  hub.add<PlainRouter>("p");
  const auto answer = ask(Message("plain"));
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::no);
  EXPECT_TRUE(answer.response.is_error("forbidden"));
}

TEST_F(Authorized, C_D11_AnswersServiceUnavailableWhereNobodyProvides) {
  EXPECT_EQ(ask(Message("nobody")).kind, AuthorizationAnswer::Kind::service_unavailable);
}

TEST_F(Authorized, C_D11_DoesNotAnswerNoForANameThatNoServiceMayHave) {
  EXPECT_NE(ask(Message("Not A Name")).kind, AuthorizationAnswer::Kind::no);
}

TEST_F(Authorized, C_D11_AnswersTheBadRpcWhereTheRouterThrows) {
  hub.add("p", deciding([](const Message&) -> Authorization { throw std::runtime_error("cannot decide"); }));
  const auto answer = ask(Message("guarded"), {kMaxTimeoutMs});
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(answer.response.is_bad_rpc("exit"));
}

TEST_F(Authorized, C_D11_StaysWithinTheBudgetAndAnswersABadRpc) {
  std::promise<void> let_go;
  const auto released = let_go.get_future().share();
  hub.add("p", deciding([released](const Message&) {
            released.wait();
            return authorized();
          }));
  const auto answer = ask(Message("guarded"), {5});
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(answer.response.is_bad_rpc("timeout"));
  let_go.set_value();
}

TEST_F(Authorized, C_D11_AnswersABadRpcWhereTheRouterGivesNoVerdict) {
  CRouter router("odd", [](busbar_call*, const busbar_message*) { return 0u; });
  router.authorize = [](busbar_call*, const busbar_message*) { return 77u; };
  hub.add("p", router);
  const auto answer = ask(Message("odd"));
  EXPECT_EQ(answer.kind, AuthorizationAnswer::Kind::failed);
  EXPECT_TRUE(answer.response.is_bad_rpc("bad_return"));
}

TEST_F(Authorized, C_D11_IsNoServedCallAndNoError) {
  auto& instance = hub.add("p", deciding([](const Message&) { return forbidden(); }));
  ask(Message("guarded"));
  ASSERT_TRUE(hub.quiet());
  EXPECT_EQ(instance.errors(), 0u) << "asking whether one may is no failed call";
}

}  // namespace
}  // namespace busbar::testing

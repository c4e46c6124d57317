// The closed set of responses, and what of them crosses the boundary.
#include <busbar/response.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>

namespace busbar {
namespace {

struct Case {
  const char* name;
  std::function<Response()> make;
  Response::Kind kind;
};

const std::vector<Case>& cases() {
  using Kind = Response::Kind;
  static const std::string long_text(300, 'l');
  static const std::vector<Case> all = {
      {"ok", [] { return Response::ok(); }, Kind::ok},
      {"ok_value", [] { return Response::ok(std::string("value")); }, Kind::ok},
      {"ok_value_version",
       [] {
         return Response::ok(std::vector<int>{1, 2}, 7);
       },
       Kind::ok},
      {"ok_version", [] { return Response::ok_version(-1); }, Kind::ok},
      {"ok_version_zero", [] { return Response::ok_version(0); }, Kind::ok},
      {"created", [] { return Response::created("the-id"); }, Kind::created},
      {"created_version", [] { return Response::created(long_text, 1LL << 40); }, Kind::created},
      {"service_unavailable", [] { return Response::service_unavailable("s"); }, Kind::service_unavailable},
      {"service_timeout", [] { return Response::service_timeout("s", long_text, 86'400'000); }, Kind::service_timeout},
      {"validation_error",
       [] {
         return Response::validation_error({{"a.b", "text", "integer 7"}, {"c", "x", ""}});
       },
       Kind::validation_error},
      {"missing_id", [] { return Response::missing_id("id"); }, Kind::missing_id},
      {"error", [] { return Response::error("code"); }, Kind::error},
      {"error_full", [] { return Response::error("code", long_text, Payload::of(5)); }, Kind::error},
      {"forbidden", [] { return Response::forbidden(); }, Kind::error},
      {"bad_rpc", [] { return Response::bad_rpc("exit", "what"); }, Kind::error},
      {"try_another_node", [] { return Response::try_another_node("why"); }, Kind::error},
      {"no_nodes",
       [] {
         return Response::no_nodes_available({{"local", "full"}});
       },
       Kind::error},
      {"none", [] { return Response(); }, Kind::none},
  };
  return all;
}

void expect_same(const Response& a, const Response& b, const char* name) {
  EXPECT_EQ(a.kind(), b.kind()) << name;
  EXPECT_EQ(a.id(), b.id()) << name;
  EXPECT_EQ(a.field(), b.field()) << name;
  EXPECT_EQ(a.error_code(), b.error_code()) << name;
  EXPECT_EQ(a.service(), b.service()) << name;
  EXPECT_EQ(a.text(), b.text()) << name;
  EXPECT_EQ(a.message_id(), b.message_id()) << name;
  EXPECT_EQ(a.bad_rpc_kind(), b.bad_rpc_kind()) << name;
  EXPECT_EQ(a.reason(), b.reason()) << name;
  EXPECT_EQ(a.timeout_ms(), b.timeout_ms()) << name;
  EXPECT_EQ(a.version(), b.version()) << name;
  EXPECT_EQ(a.value().to_json(), b.value().to_json()) << name;
  EXPECT_EQ(a.value().empty(), b.value().empty()) << name;
}

TEST(ResponseTest, SaysForEveryKindWhatItWasMadeOf) {
  for (const auto& c : cases()) {
    EXPECT_EQ(c.make().kind(), c.kind) << c.name;
    EXPECT_EQ(c.make().succeeded(), c.kind == Response::Kind::ok || c.kind == Response::Kind::created) << c.name;
    EXPECT_EQ(static_cast<bool>(c.make()), c.kind != Response::Kind::none) << c.name;
  }
  EXPECT_EQ(Response::ok(5).value_as<int>(), 5);
  EXPECT_EQ(Response::ok(5, 3).version(), 3);
  EXPECT_TRUE(Response::ok().value().empty());
  EXPECT_FALSE(Response::ok().version());
  EXPECT_EQ(Response::ok_version(0).version(), 0) << "a version of none is not the version 0";
  EXPECT_EQ(Response::created("x", 2).id(), "x");
  EXPECT_EQ(Response::created("x", 2).version(), 2);
  EXPECT_EQ(Response::service_timeout("s", "m", 9).timeout_ms(), 9u);
  EXPECT_EQ(Response::service_timeout("s", "m", 9).message_id(), "m");
  EXPECT_EQ(Response::missing_id("f").field(), "f");
  EXPECT_TRUE(Response::forbidden().is_error("forbidden"));
  EXPECT_TRUE(Response::bad_rpc("exit", "t").is_bad_rpc("exit"));
  EXPECT_FALSE(Response::bad_rpc("exit", "t").is_bad_rpc("nodedown"));
  EXPECT_EQ(Response::try_another_node("why").reason(), "why");
  EXPECT_EQ(Response::no_nodes_available({{"local", "full"}}).value().to_json(),
            (nlohmann::json{{{"node", "local"}, {"reason", "full"}}}));
  EXPECT_EQ(Response::validation_error({{"a.b", "text", "integer 7"}}).value().to_json(),
            (nlohmann::json{{{"path", "a.b"}, {"expected", "text"}, {"found", "integer 7"}}}));
}

TEST(ResponseTest, SurvivesTheBoundaryForEveryKind) {
  for (const auto& c : cases()) {
    const Response made = c.make();
    const busbar_response view = made.c_view();
    EXPECT_EQ(view.struct_size, sizeof view);
    expect_same(made, Response::borrow(view), c.name);
  }
}

TEST(ResponseTest, CopiesOfBorrowedOnesOwnEverything) {
  for (const auto& c : cases()) {
    // What is borrowed from goes before the copies are looked at; a sanitizer sees who still points there.
    auto lender = std::make_unique<Response>(c.make());
    auto borrowed = std::make_unique<Response>(Response::borrow(lender->c_view()));
    const Response copy(*borrowed);
    Response assigned;
    assigned = *borrowed;
    Response became;
    became.assign(lender->c_view(), Payload(lender->value()));
    borrowed.reset();
    lender.reset();
    expect_same(copy, c.make(), c.name);
    expect_same(assigned, c.make(), c.name);
    expect_same(became, c.make(), c.name);
  }
}

TEST(ResponseTest, MovesWithoutLosingAnything) {
  for (const auto& c : cases()) {
    Response from = c.make();
    Response to(std::move(from));
    expect_same(to, c.make(), c.name);
    Response again;
    again = std::move(to);
    expect_same(again, c.make(), c.name);
  }
}

TEST(ResponseTest, TakesAKindThatIsNoneForNone) {
  for (const std::uint32_t kind : {8u, 1000u, std::numeric_limits<std::uint32_t>::max()}) {
    busbar_response view = Response::ok(1).c_view();
    view.kind = kind;
    view.value = {};
    EXPECT_EQ(Response::borrow(view).kind(), Response::Kind::none);
    Response became;
    became.assign(view, {});
    EXPECT_EQ(became.kind(), Response::Kind::none);
  }
}

TEST(ResponseTest, AnswersNothingForWhatAnotherKindWouldSay) {
  const Response ok = Response::ok(1);
  EXPECT_EQ(ok.id(), "");
  EXPECT_EQ(ok.field(), "");
  EXPECT_EQ(ok.error_code(), "");
  EXPECT_EQ(ok.service(), "");
  EXPECT_EQ(ok.text(), "");
  EXPECT_EQ(Response::created("x").error_code(), "");
  EXPECT_EQ(Response::missing_id("x").id(), "");
  EXPECT_EQ(Response::service_timeout("s", "m", 1).text(), "");
  EXPECT_FALSE(Response::created("forbidden").is_error("forbidden"));
}

TEST(ResponseTest, RefusesAValueThatIsNoneOrAnother) {
  EXPECT_THROW(Response::ok().value_as<int>(), DecodeError);
  EXPECT_THROW(Response::ok(std::string("x")).value_as<int>(), DecodeError);
}

}  // namespace
}  // namespace busbar

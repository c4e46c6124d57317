// What a router says of its services' requests, responses and examples.
#include <busbar/plugin.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_host.hpp"

namespace busbar {
namespace {

using nlohmann::json;
using testing::failure_of;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::OwnedRouter;

struct Order {
  std::string item;
  int count = 1;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(item), busbar::field("count", count, 1));
  }
  void validate(Problems& problems) const {
    if (item.empty()) problems.add("item", "a name");
    if (count < 1) problems.add("count", "1 or more", std::to_string(count));
  }
};

struct Receipt {
  int price = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(price));
  }
};

struct Thrower {
  template <class Archive>
  void serialize(Archive&) {}
  void validate(Problems&) const { throw std::runtime_error("not today"); }
};

struct Described final : Router {
  Described() {
    service("receipt", &Described::receipt);
    service("order", &Described::order);
    service("order_with_example", &Described::order).example(Order{"tea", 2});
    service("order_with_json", &Described::order).example(json{{"item", "tea"}});
    service("order_with_assigns", &Described::order)
        .example(Order{"tea", 2}, {{"user", "ann"}, {"roles", std::vector<int>{1, 2}}});
    service("nothing", &Described::nothing);
    service("message", &Described::message);
    service("message_void", &Described::message_void);
    service("message_said", &Described::message).request<Order>().response<Receipt>().example(Order{"tea", 1});
    service("message_example", &Described::message).example(json{{"any", 1}});
    service("some", &Described::some);
    service("thrower", &Described::thrower);
  }
  Receipt receipt(const Receipt& request, Context&) { return request; }
  Response order(Order) { return Response::ok(); }
  void nothing() {}
  NoReply message(Message&) { return no_reply; }
  void message_void(Message&) {}
  std::optional<Receipt> some() { return {}; }
  void thrower(const Thrower&) {}
};

struct Said {
  std::string request, response, example, assigns;
};

class Describe : public ::testing::Test {
 protected:
  Said said(std::string_view name) const {
    for (std::uint32_t i = 0; i < router_->service_count; ++i) {
      const busbar_service& service = *router_->services[i];
      if (text(service.name) == name) {
        return {text(service.request_schema), text(service.response_schema), text(service.example),
                text(service.example_assigns)};
      }
    }
    throw std::runtime_error("no such service");
  }

 private:
  static std::string text(busbar_text text) { return {text.data, text.size}; }
  FakeHost host_;
  OwnedRouter router_{host_.create<Described>()};
};

TEST_F(Describe, SaysTheTypesOfAHandler) {
  const Said receipt = said("receipt");
  EXPECT_EQ(receipt.request, cbor::request_schema<Receipt>());
  EXPECT_EQ(receipt.response, cbor::response_schema<Receipt>());
  EXPECT_EQ(said("some").response, cbor::response_schema<std::optional<Receipt>>());
}

TEST_F(Describe, SaysThatNothingIsTakenAndNothingIsGiven) {
  EXPECT_EQ(said("nothing").request, R"({"description":"nothing is read of it"})");
  EXPECT_EQ(said("nothing").response, R"({"type":"null"})");
  EXPECT_EQ(said("nothing").example, "{}");
}

TEST_F(Describe, SaysNothingOfAHandlerThatTakesAndGivesMessages) {
  for (const char* name : {"message", "message_void"}) {
    const Said nothing = said(name);
    EXPECT_EQ(nothing.request + nothing.response + nothing.example, "") << name;
  }
  EXPECT_EQ(said("order").response, "");
}

TEST_F(Describe, SaysOfMessagesWhatTheAuthorSays) {
  const Said message = said("message_said");
  EXPECT_EQ(message.request, cbor::request_schema<Order>());
  EXPECT_EQ(message.response, cbor::response_schema<Receipt>());
  EXPECT_EQ(message.example, R"({"item":"tea","count":1})");
  EXPECT_EQ(said("message_example").example, R"({"any":1})");
}

TEST_F(Describe, MakesAnExampleOfWhatTheTypeIsByDefaultIfThatIsGood) {
  EXPECT_EQ(said("receipt").example, R"({"price":0})");
  EXPECT_EQ(said("order").example, "");
  EXPECT_EQ(said("thrower").example, "");
}

TEST_F(Describe, TakesTheAuthorsExample) {
  EXPECT_EQ(said("order_with_example").example, R"({"item":"tea","count":2})");
  EXPECT_EQ(said("order_with_json").example, R"({"item":"tea"})");
}

TEST_F(Describe, TakesTheAssignsWithWhichAnExampleWorks) {
  EXPECT_EQ(said("order_with_assigns").example, R"({"item":"tea","count":2})");
  EXPECT_EQ(said("order_with_assigns").assigns, R"({"user":"ann","roles":[1,2]})");
  EXPECT_EQ(said("order_with_example").assigns, "");
}

template <int Which>
struct Faulty final : Router {
  Faulty() {
    if constexpr (Which == 0) service("s", &Faulty::order).example(Order{"", -1});
    if constexpr (Which == 1) service("s", &Faulty::order).example(json{{"item", 1}, {"count", "x"}});
    if constexpr (Which == 2) service("s", &Faulty::order).template request<Order>();
    if constexpr (Which == 3) service("s", &Faulty::order).template response<Order>();
    if constexpr (Which == 4) service("s", &Faulty::order).example(json("caf\xe9"));
    if constexpr (Which == 6) service("s", &Faulty::order).example(Order{"tea", 1}, {{"a=b", 1}});
    if constexpr (Which == 5) service("s", &Faulty::message).example(Order{"tea", 1}).template request<Order>();
  }
  Receipt order(const Order&) { return {}; }
  Response message(Message&) { return Response::ok(); }
};

TEST(DescribeFails, ForAnExampleThatTheServiceWouldRefuseAndListsAllThatIsWrong) {
  EXPECT_EQ(
      failure_of<Faulty<0>>(),
      "service \"s\": its example would be refused: field \"item\": expected a name; field \"count\": expected 1 or "
      "more, found -1");
  EXPECT_EQ(failure_of<Faulty<1>>(),
            "service \"s\": its example would be refused: field \"item\": expected text, found integer 1; field "
            "\"count\": expected integer, found text");
  EXPECT_THAT(failure_of<Faulty<4>>(), HasSubstr("not valid UTF-8"));
  EXPECT_EQ(failure_of<Faulty<6>>(),
            "service \"s\": an assign of its example is called \"a=b\", expected a name without \"=\"");
}

TEST(DescribeFails, ForTypesThatTheHandlerAlreadySays) {
  EXPECT_EQ(failure_of<Faulty<2>>(), "service \"s\": its handler's type already says what its request is");
  EXPECT_EQ(failure_of<Faulty<5>>(), "service \"s\": its example comes before its request; turn them around");
  EXPECT_EQ(failure_of<Faulty<3>>(), "service \"s\": its handler's type already says what its response is");
}

}  // namespace
}  // namespace busbar

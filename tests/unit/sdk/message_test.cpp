// The message's rules by their numbers (contract, C-M1 to C-M9).
#include <busbar/message.hpp>
#include <busbar/names.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/order.hpp"

namespace busbar {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::Order;

TEST(Message, C_M1_HasAllItsFieldsAndTheySurviveTheBoundary) {
  Message message = Message::of("the_service", json{{"a", 1}});
  message.with_id("id-1").with_correlation("corr", "cause").with_origin_node("elsewhere");
  message.with_dry_run(DryRun::verbose).with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  message.put_request(std::string("structured")).assign("k", 5).add_event(1).add_event(2);
  message.prepare_aggregate_id("a").with_deadline_us(77).ok(std::string("done"), 4);
  busbar_response response{};
  const busbar_message view = message.c_view(response);
  EXPECT_EQ(view.struct_size, sizeof view);
  const Message back = Message::borrow(view);
  EXPECT_EQ(back.service_name(), "the_service");
  EXPECT_EQ(back.id(), "id-1");
  EXPECT_EQ(back.correlation_id(), "corr");
  EXPECT_EQ(back.causation_id(), "cause");
  EXPECT_EQ(back.origin_node(), "elsewhere");
  EXPECT_EQ(back.logger_metadata().to_json(), (json{{"user", "ann"}}));
  EXPECT_EQ(back.invoked_at(), message.invoked_at());
  EXPECT_EQ(back.dry_run(), DryRun::verbose);
  EXPECT_EQ(back.raw_request().to_json(), (json{{"a", 1}}));
  EXPECT_EQ(back.request().to_json(), "structured");
  EXPECT_TRUE(back.valid());
  EXPECT_TRUE(back.halted());
  EXPECT_EQ(back.assigned<int>("k"), 5);
  EXPECT_EQ(back.response().value_as<std::string>(), "done");
  EXPECT_EQ(back.response().version(), 4);
  EXPECT_THAT(back.events_json(), ElementsAre(1, 2));
  EXPECT_EQ(back.aggregate_id(), "1");
  ASSERT_TRUE(back.deadline());
  EXPECT_EQ(back.deadline()->time_since_epoch(), std::chrono::microseconds(77));
}

TEST(Message, C_M2_IsNewWithAnIdOfItsOwnAndDefaults) {
  const auto before = std::chrono::system_clock::now();
  const Message message("service");
  EXPECT_TRUE(is_message_id(message.id()));
  EXPECT_EQ(message.id().size(), 22u);
  EXPECT_EQ(message.correlation_id(), message.id());
  EXPECT_EQ(message.causation_id(), message.correlation_id());
  EXPECT_EQ(message.dry_run(), DryRun::no);
  EXPECT_TRUE(message.valid());
  EXPECT_FALSE(message.halted());
  EXPECT_FALSE(message.response());
  EXPECT_TRUE(message.events().empty());
  EXPECT_TRUE(message.assigns().empty());
  EXPECT_FALSE(message.deadline());
  // UTC, and of now: within a few ticks of the coarse clock.
  EXPECT_LT(std::chrono::abs(message.invoked_at() - before), std::chrono::seconds(60));
  EXPECT_NE(Message("service").id(), message.id());
}

TEST(Message, ADeadlineBeyondAllClocksIsNeverOrLongAgo) {
  Message message("service");
  const auto years = std::chrono::steady_clock::now() + std::chrono::years(200);
  EXPECT_GT(message.with_deadline_us(INT64_MAX).deadline(), years);
  EXPECT_LT(message.with_deadline_us(INT64_MIN).deadline(), std::chrono::steady_clock::now());
}

TEST(Message, C_M2_TheCausationDefaultsToTheCorrelation) {
  Message message("service");
  message.with_correlation("corr");
  EXPECT_EQ(message.causation_id(), "corr");
  message.with_id("other");
  EXPECT_EQ(message.correlation_id(), "corr");
}

TEST(Message, C_M2_CarriesTheCallersCurrentLogMetadata) {
  const Payload outer = Payload::from_json({{"user", "ann"}}), inner = Payload::from_json({{"user", "bob"}});
  EXPECT_TRUE(Message("s").logger_metadata().empty());
  Message kept = Message::blank();
  {
    const LogMetadataScope scope(outer);
    kept = Message("s");
    {
      const LogMetadataScope nested(inner);
      EXPECT_EQ(Message("s").logger_metadata().to_json(), (json{{"user", "bob"}}));
    }
    EXPECT_EQ(Message("s").logger_metadata().to_json(), (json{{"user", "ann"}}));
  }
  EXPECT_TRUE(Message("s").logger_metadata().empty());
  EXPECT_EQ(kept.logger_metadata().to_json(), (json{{"user", "ann"}})) << "its own copy";
}

TEST(Message, C_M3_ACausedOneKeepsTheCorrelationAndTakesTheParentsIdTimeAndMetadata) {
  Message parent("first");
  parent.with_correlation("corr", "cause").with_deadline_us(1234);
  parent.with_logger_metadata(Payload::from_json({{"user", "ann"}})).assign("k", 1).with_dry_run(DryRun::yes);
  for (const Message& child : {Message::caused_by(parent, "second"), Message::caused_by(parent, "second", 5)}) {
    EXPECT_EQ(child.service_name(), "second");
    EXPECT_EQ(child.correlation_id(), "corr");
    EXPECT_EQ(child.causation_id(), parent.id());
    EXPECT_NE(child.id(), parent.id());
    EXPECT_TRUE(is_message_id(child.id()));
    EXPECT_EQ(child.deadline(), parent.deadline());
    EXPECT_EQ(child.logger_metadata().to_json(), (json{{"user", "ann"}}));
    EXPECT_FALSE(child.halted());
  }
  const Message grandchild = Message::caused_by(Message::caused_by(parent, "second"), "third");
  EXPECT_EQ(grandchild.correlation_id(), "corr");
}

TEST(Message, C_M3_TheChildOfARootTakesItsIdAsCorrelation) {
  const Message root("first");
  const Message child = Message::caused_by(root, "second");
  EXPECT_EQ(child.correlation_id(), root.id());
  EXPECT_EQ(child.causation_id(), root.id());
}

TEST(Message, C_M4_AssignsAreReadByWhoComesLaterAndAMissingKeyIsNothing) {
  Message message("s");
  EXPECT_EQ(message.assigned<int>("missing"), std::nullopt);
  message.assign("number", 1).assign("text", std::string("t")).assign("number", 2);
  EXPECT_EQ(message.assigned<int>("number"), 2);
  EXPECT_EQ(message.assigned<std::string>("text"), "t");
  EXPECT_EQ(message.assigned<int>("missing"), std::nullopt);
  EXPECT_EQ(message.assigned<int>(""), std::nullopt);
  EXPECT_THROW(message.assigned<int>("text"), DecodeError);
  EXPECT_TRUE(message.assigns_changed());
  EXPECT_FALSE(Message("s").assigns_changed());
}

TEST(Message, C_M4_AnAssignOrAFieldOfAnotherTypeIsNamedWithWhatIsThere) {
  Message message("s", Payload::from_json({{"account", 7}}));
  message.assign("user", 5).assign("order", json{{"item", 1}});
  const auto error = [](const auto& read) -> std::string {
    try {
      read();
    } catch (const DecodeError& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(error([&] { message.assigned<std::string>("user"); }),
            "could not read assign \"user\": expected text, found integer 5");
  EXPECT_EQ(error([&] { message.assigned<Order>("order"); }),
            "could not read assign \"order\": field \"item\": expected text, found integer 1 (and 1 more)");
  EXPECT_EQ(error([&] { message.raw_field<std::string>("account"); }),
            "could not read field \"account\": expected text, found integer 7");
}

TEST(Message, C_M5_RespondingSetsTheResponseAndHalts) {
  const auto check = [](Message& message, Response::Kind kind) {
    EXPECT_EQ(message.response().kind(), kind);
    EXPECT_TRUE(message.halted());
  };
  Message m("s");
  check(m.ok(), Response::Kind::ok);
  m = Message("s");
  check(m.ok(5, 1), Response::Kind::ok);
  m = Message("s");
  check(m.created("id"), Response::Kind::created);
  m = Message("s");
  check(m.created("id", 3), Response::Kind::created);
  m = Message("s");
  check(m.error("code", "text"), Response::Kind::error);
  m = Message("s");
  check(m.respond(Response::missing_id("x")), Response::Kind::missing_id);
  EXPECT_FALSE(m.ok().error("later").response().succeeded()) << "the last one counts";
}

TEST(Message, C_M5_KeepsEventsInTheOrderInWhichTheyWereAdded) {
  Message message("s");
  std::vector<json> expected;
  for (int i = 0; i < 300; ++i) {
    message.add_event(i);
    expected.emplace_back(i);
  }
  message.add_event(Order{"nail", 3}).ok();
  expected.push_back({{"item", "nail"}, {"amount", 3}});
  EXPECT_EQ(message.events_json(), expected) << "responding leaves them";
}

TEST(Message, C_M5_AddingNoEventIsANoOp) {
  Message message("s");
  message.add_event(std::nullopt).add_event_payload(Payload());
  EXPECT_TRUE(message.events().empty());
  message.add_event(1).add_event(std::nullopt).add_event_payload(Payload()).add_event(2);
  EXPECT_THAT(message.events_json(), ElementsAre(1, 2));
}

TEST(Message, C_M5_TakesEventsOfEitherEncodingAndMoreCanBeAdded) {
  const std::vector<std::uint8_t> definite{0x83, 0x01, 0x02, 0x03}, indefinite{0x9f, 0x01, 0x02, 0x03, 0xff},
      many{0x98, 0x03, 0x01, 0x02, 0x03};
  for (const auto& bytes : {definite, indefinite, many}) {
    Message message("s");
    message.with_events(Payload::own(bytes)).add_event(4);
    EXPECT_THAT(message.events_json(), ElementsAre(1, 2, 3, 4));
  }
  for (const std::vector<std::uint8_t>& none :
       {std::vector<std::uint8_t>{0x80}, std::vector<std::uint8_t>{0x9f, 0xff}}) {
    Message message("s");
    message.with_events(Payload::own(none));
    EXPECT_TRUE(message.events().empty());
    EXPECT_THAT(message.add_event(4).events_json(), ElementsAre(4));
  }
}

TEST(Message, C_M5_KeepsEventsThatJsonCannotHoldAsTheyAre) {
  // [NaN, h'0203']
  const std::vector<std::uint8_t> odd{0x82, 0xf9, 0x7e, 0x00, 0x42, 0x02, 0x03};
  Message message("s");
  message.with_events(Payload::own(odd));
  const auto bytes = message.events().bytes();
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin() + 1, bytes.end() - 1),
            std::vector<std::uint8_t>(odd.begin() + 1, odd.end()));
}

TEST(Message, C_M5_RefusesEventsThatAreNoArrayOrNoCbor) {
  for (const std::vector<std::uint8_t>& bad :
       {std::vector<std::uint8_t>{0x01}, std::vector<std::uint8_t>{0xa1, 0x61, 'k', 0x01},
        std::vector<std::uint8_t>{0x9f, 0x01}, std::vector<std::uint8_t>{0x9f, 0xff, 0xff},
        std::vector<std::uint8_t>{0x82, 0x01}, std::vector<std::uint8_t>{0xff}}) {
    Message message("s");
    EXPECT_THROW(message.with_events(Payload::own(bad)), MalformedPayload);
  }
}

TEST(Message, C_M6_AnInvalidStructuredRequestHaltsWithAllThatIsWrong) {
  Message message("s");
  message.put_request(Order{"", 0});
  EXPECT_FALSE(message.valid());
  EXPECT_TRUE(message.halted());
  EXPECT_EQ(message.response().kind(), Response::Kind::validation_error);
  EXPECT_EQ(message.response().value().to_json(),
            (json{{{"path", "item"}, {"expected", "a name"}, {"found", ""}},
                  {{"path", "amount"}, {"expected", "1 or more"}, {"found", "0"}}}));
  EXPECT_TRUE(message.request().empty());
}

TEST(Message, C_M6_AValidStructuredRequestIsStoredAndTheMessageGoesOn) {
  Message message("s");
  message.put_request(Order{"nail", 3});
  EXPECT_TRUE(message.valid());
  EXPECT_FALSE(message.halted());
  EXPECT_FALSE(message.response());
  EXPECT_EQ(message.request_as<Order>().amount, 3);
  message.put_request(7);  // a type that has nothing to say about its validity
  EXPECT_EQ(message.request_as<int>(), 7);
}

TEST(Message, C_M7_ReadsTheAggregateIdFromANamedField) {
  Message message("s", Payload::from_json({{"order_id", "o-1"}, {"other", 1}}));
  message.prepare_aggregate_id("order_id");
  EXPECT_EQ(message.aggregate_id(), "o-1");
  EXPECT_FALSE(message.halted());
  EXPECT_EQ(Message("s").aggregate_id(), std::nullopt);
  Message number("s", Payload::from_json({{"order_id", 12}}));
  EXPECT_EQ(number.prepare_aggregate_id("order_id").aggregate_id(), "12");
}

TEST(Message, C_M7_GeneratesAMissingIdWhereThatWasAskedForAndPutsItInTheRequest) {
  for (const Payload& raw : {Payload(), Payload::from_json(json::object()), Payload::from_json({{"id", nullptr}})}) {
    Message message("s", raw);
    message.prepare_aggregate_id("id", true);
    ASSERT_TRUE(message.aggregate_id());
    EXPECT_TRUE(is_message_id(*message.aggregate_id()));
    EXPECT_EQ(message.raw_field<std::string>("id"), message.aggregate_id());
    EXPECT_FALSE(message.halted());
  }
}

TEST(Message, C_M7_HaltsWithMissingIdWhereItWasNotAskedFor) {
  for (const Payload& raw : {Payload(), Payload::from_json({{"other", 1}}), Payload::from_json({{"id", nullptr}})}) {
    Message message("s", raw);
    message.prepare_aggregate_id("id");
    EXPECT_TRUE(message.halted());
    EXPECT_EQ(message.response().kind(), Response::Kind::missing_id);
    EXPECT_EQ(message.response().field(), "id");
    EXPECT_EQ(message.aggregate_id(), std::nullopt);
  }
}

TEST(Message, C_M8_IsReaddressedAndOneFieldOfItsRequestIsPutOrReplaced) {
  Message message("first", Payload::from_json({{"a", 1}, {"b", 2}}));
  const std::string id(message.id());
  message.to_service("second").put_in_raw_request("b", std::string("new")).put_in_raw_request("c", 3);
  EXPECT_EQ(message.service_name(), "second");
  EXPECT_EQ(message.id(), id);
  EXPECT_EQ(message.raw_request().to_json(), (json{{"a", 1}, {"b", "new"}, {"c", 3}}));
  EXPECT_EQ(Message("s").put_in_raw_request("x", 1).raw_request().to_json(), (json{{"x", 1}}));
  EXPECT_THROW(Message::of("s", 5).put_in_raw_request("x", 1), MalformedPayload);
}

TEST(Message, C_M9_WhatIsReturnedHasNoRequestAndEventsOnlyWithDryRunVerbose) {
  for (const DryRun dry_run : {DryRun::no, DryRun::yes, DryRun::verbose}) {
    Message message = Message::of("s", 1);
    message.put_request(2).add_event(3).assign("k", 4).with_dry_run(dry_run).ok(5);
    message.strip_for_return();
    EXPECT_TRUE(message.raw_request().empty());
    EXPECT_TRUE(message.request().empty());
    EXPECT_EQ(message.events().empty(), dry_run != DryRun::verbose);
    EXPECT_EQ(message.assigned<int>("k"), 4);
    EXPECT_EQ(message.response().value_as<int>(), 5);
  }
}

TEST(Message, CopiesOfABorrowedOneOwnEverything) {
  const std::string large(500, 'x');
  auto lender = std::make_unique<Message>(Message::of("s_" + large.substr(0, 200), large));
  lender->with_id(large.substr(0, 100)).with_correlation(large.substr(0, 90), large.substr(0, 80));
  lender->with_origin_node(large.substr(0, 60)).put_request(large).assign("k", large).add_event(large);
  lender->with_logger_metadata(Payload::from_json({{"k", large}}));
  lender->respond(Response::error(large, large, Payload::of(large)));
  auto response = std::make_unique<busbar_response>();
  auto borrowed = std::make_unique<Message>(Message::borrow(lender->c_view(*response)));
  const Message copy(*borrowed);
  Message assigned = Message::blank();
  assigned = *borrowed;
  borrowed.reset();
  response.reset();
  lender.reset();
  for (const Message* message : {&copy, static_cast<const Message*>(&assigned)}) {
    EXPECT_EQ(message->service_name().size(), 202u);
    EXPECT_EQ(message->id(), large.substr(0, 100));
    EXPECT_EQ(message->correlation_id(), large.substr(0, 90));
    EXPECT_EQ(message->causation_id(), large.substr(0, 80));
    EXPECT_EQ(message->origin_node(), large.substr(0, 60));
    EXPECT_EQ(message->raw_request_as<std::string>(), large);
    EXPECT_EQ(message->request_as<std::string>(), large);
    EXPECT_EQ(message->assigned<std::string>("k"), large);
    EXPECT_THAT(message->events_json(), ElementsAre(large));
    EXPECT_EQ(message->logger_metadata().to_json()["k"], large);
    EXPECT_EQ(message->response().value_as<std::string>(), large);
  }
}

TEST(Problems, AreFoundByATypesOwnValidateOrNotAtAll) {
  EXPECT_TRUE(validate(Order{"nail", 1}).empty());
  EXPECT_EQ(validate(Order{"nail", 0}).all().size(), 1u);
  EXPECT_TRUE(validate(5).empty());
}

}  // namespace
}  // namespace busbar

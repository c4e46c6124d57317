// Routers at the bare C boundary that do what the C++ SDK never would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <thread>

#include "support/hub.hpp"

namespace busbar::testing {
namespace {

busbar_text text(std::string_view from) { return {from.data(), from.size()}; }

busbar_response ok_response() {
  busbar_response response{};
  response.struct_size = sizeof response;
  response.kind = BUSBAR_RESPONSE_OK;
  return response;
}

busbar_reply reply_of(const busbar_response& response) {
  busbar_reply reply{};
  reply.struct_size = sizeof reply;
  reply.response = &response;
  return reply;
}

class CRouters : public ::testing::TestWithParam<std::tuple<Form, bool>> {
 protected:
  static std::uint32_t flags() { return std::get<1>(GetParam()) ? BUSBAR_SERVICE_INLINE : 0; }
  Message call(Message message) { return hub.call(std::move(message), {kMaxTimeoutMs}, std::get<0>(GetParam())); }
  void serve(CRouter::Function handle) {
    router = std::make_unique<CRouter>("service", std::move(handle), flags());
    c_host = &hub.add("p", *router).c_host();
  }
  std::unique_ptr<CRouter> router;
  const busbar_host* c_host = nullptr;
  Hub hub;
};
INSTANTIATE_TEST_SUITE_P(All, CRouters,
                         ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +
                                  (std::get<1>(tested.param) ? "Inline" : "Pooled");
                         });

TEST_P(CRouters, C_D7_AnswerBadReturnForAKindThatIsNone) {
  serve([&](busbar_call* c, const busbar_message*) {
    for (const std::uint32_t kind : {0u, 8u, 1000u, ~0u}) {
      busbar_response response = ok_response();
      response.kind = kind;
      const busbar_reply reply = reply_of(response);
      EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_INVALID);
    }
    return BUSBAR_REPLIED;
  });
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("bad_return"));
}

TEST_P(CRouters, C_D7_AnswerBadReturnForRepliesWithoutResponseOrTooSmall) {
  serve([&](busbar_call* c, const busbar_message*) {
    EXPECT_EQ(c_host->reply(c, nullptr), BUSBAR_INVALID);
    busbar_reply empty{};
    empty.struct_size = sizeof empty;
    EXPECT_EQ(c_host->reply(c, &empty), BUSBAR_INVALID);
    const busbar_response response = ok_response();
    busbar_reply small = reply_of(response);
    small.struct_size = 4;
    EXPECT_EQ(c_host->reply(c, &small), BUSBAR_INVALID);
    return BUSBAR_REPLIED;
  });
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("bad_return"));
}

TEST_P(CRouters, MayAnswerProperlyAfterAnInvalidAnswer) {
  serve([&](busbar_call* c, const busbar_message*) {
    EXPECT_EQ(c_host->reply(c, nullptr), BUSBAR_INVALID);
    const busbar_response response = ok_response();
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    return BUSBAR_REPLIED;
  });
  EXPECT_TRUE(call(Message("service")).response().succeeded());
}

TEST_P(CRouters, C_D7_AnswerBadReturnWhenTheySayRepliedButDidNot) {
  serve([](busbar_call*, const busbar_message*) { return BUSBAR_REPLIED; });
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("bad_return"));
}

TEST_P(CRouters, C_D7_AnswerBadReturnForAnUnknownReturnValue) {
  serve([](busbar_call*, const busbar_message*) { return 99u; });
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("bad_return"));
}

TEST_P(CRouters, C_R4_AnsweringTwiceSendsTheFirst) {
  serve([&](busbar_call* c, const busbar_message*) {
    busbar_response response = ok_response();
    response.flags = BUSBAR_RESPONSE_HAS_VERSION;
    response.version = 1;
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    response.version = 2;
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_ALREADY_ANSWERED);
    return BUSBAR_REPLIED;
  });
  EXPECT_EQ(call(Message("service")).response().version(), 1);
}

TEST_P(CRouters, C_R4_AnsweringAndThenReturningNoReplySendsTheAnswer) {
  serve([&](busbar_call* c, const busbar_message*) {
    const busbar_response response = ok_response();
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    return BUSBAR_NO_REPLY;
  });
  EXPECT_TRUE(call(Message("service")).response().succeeded());
}

TEST_P(CRouters, C_R4_MayAnswerFromAnotherThreadWhileTheHandlerStillRuns) {
  std::promise<void> received;
  serve([&](busbar_call* c, const busbar_message* message) {
    std::thread([&] {
      const busbar_response response = ok_response();
      const busbar_reply reply = reply_of(response);
      EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    }).join();
    // A pooled call's answer is with its caller now, and the handler still has its message.
    if (!std::get<1>(GetParam())) received.get_future().wait();
    EXPECT_EQ(std::string(message->service_name.data, message->service_name.size), "service");
    const Payload sent = Payload::of(std::string(1000, 'r'));
    const std::span<const std::uint8_t> left(message->raw_request.data, message->raw_request.size);
    EXPECT_TRUE(std::ranges::equal(left, sent.bytes())) << "its message went with the answer";
    const busbar_response response = ok_response();
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_ALREADY_ANSWERED);
    return BUSBAR_REPLIED;
  });
  const Message back = call(Message::of("service", std::string(1000, 'r')));
  received.set_value();
  EXPECT_TRUE(back.response().succeeded());
  EXPECT_TRUE(hub.quiet());
}

TEST_P(CRouters, C_R4_KeepTheirCallWithRetainAndAnswerOnceReleased) {
  busbar_call* kept = nullptr;
  std::promise<void> has_it;
  serve([&](busbar_call* c, const busbar_message*) {
    c_host->call_retain(c);
    c_host->call_retain(c);
    kept = c;
    has_it.set_value();
    return BUSBAR_NO_REPLY;
  });
  std::thread elsewhere([&] {
    has_it.get_future().wait();
    c_host->call_release(kept);
    c_host->call_release(kept);  // the last one: dropped
  });
  EXPECT_EQ(call(Message("service")).response().text(), "reply dropped");
  elsewhere.join();
}

TEST_P(CRouters, C_R4_MayRetainOnAnotherThreadAndUseTheCallWhenItsMessageIsGone) {
  std::atomic<busbar_call*> kept = nullptr;
  serve([&](busbar_call* c, const busbar_message*) {
    std::thread([&] { c_host->call_retain(c); }).join();
    kept = c;
    return BUSBAR_NO_REPLY;
  });
  Message sent("service");
  sent.with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  while (kept == nullptr) {  // it may not have been started in time
    const Message back = hub.call(Message(sent), {20}, std::get<0>(GetParam()));
    EXPECT_EQ(back.response().kind(), Response::Kind::service_timeout);
    ASSERT_TRUE(hub.idle());
  }
  busbar_message message{};
  message.struct_size = sizeof message;
  message.service_name = text("nowhere");
  const Message inner = detail::take_result(*c_host, c_host->dispatch(c_host->context, kept, &message, nullptr));
  EXPECT_EQ(inner.logger_metadata().to_json(), (nlohmann::json{{"user", "ann"}}));
  c_host->log(c_host->context, kept, BUSBAR_LOG_INFO, text("too late"));
  const busbar_response response = ok_response();
  const busbar_reply reply = reply_of(response);
  EXPECT_EQ(c_host->reply(kept, &reply), BUSBAR_DONE) << "and is discarded";
  c_host->call_release(kept);
  EXPECT_TRUE(hub.quiet());
}

TEST_P(CRouters, CopyAnswersThatAreBorrowed) {
  serve([&](busbar_call* c, const busbar_message*) {
    std::vector<std::uint8_t> value(300, 0x01), assigns{0xa1, 0x61, 'k', 0x05};
    value[0] = 0x99;  // an array of 297 small numbers
    value[1] = 297 >> 8;
    value[2] = 297 & 0xff;
    std::string code(60, 'c'), why(100, 't');
    busbar_response response = ok_response();
    response.kind = BUSBAR_RESPONSE_ERROR;
    response.flags = BUSBAR_RESPONSE_HAS_VALUE;
    response.name = text(code);
    response.text = text(why);
    response.value = {value.data(), value.size()};
    busbar_reply reply = reply_of(response);
    reply.flags = BUSBAR_REPLY_ASSIGNS;
    reply.assigns = {assigns.data(), assigns.size()};
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    // Its memory is its own again as soon as reply has returned.
    std::fill(value.begin(), value.end(), 0xff);
    std::fill(assigns.begin(), assigns.end(), 0xff);
    std::fill(code.begin(), code.end(), '!');
    std::fill(why.begin(), why.end(), '!');
    return BUSBAR_REPLIED;
  });
  const Message back = call(Message("service"));
  EXPECT_EQ(back.response().error_code(), std::string(60, 'c'));
  EXPECT_EQ(back.response().text(), std::string(100, 't'));
  EXPECT_EQ(back.response().value().to_json().size(), 297u);
  EXPECT_EQ(back.assigned<int>("k"), 5);
}

TEST_P(CRouters, MayWriteTheirValueIntoTheHostsBuffer) {
  serve([&](busbar_call* c, const busbar_message*) {
    busbar_buffer* buffer = c_host->reply_buffer(c);
    EXPECT_EQ(buffer->size, 0u);
    EXPECT_EQ(buffer->grow(buffer, 3), 0);
    EXPECT_GE(buffer->capacity, 3u);
    buffer->data[0] = 0x18;
    buffer->data[1] = 0x64;
    buffer->size = 2;
    EXPECT_EQ(buffer->grow(buffer, 10'000), 0) << "keeps what is filled";
    busbar_response response = ok_response();
    response.flags = BUSBAR_RESPONSE_HAS_VALUE;
    response.value = {buffer->data, buffer->size};
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    return BUSBAR_REPLIED;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(Message("service")).response().value_as<int>(), 100);
}

TEST_P(CRouters, KeepWhatTheirBufferHasWhenTheyAskForLess) {
  serve([&](busbar_call* c, const busbar_message*) {
    busbar_buffer* buffer = c_host->reply_buffer(c);
    EXPECT_EQ(buffer->grow(buffer, 0), 0);
    EXPECT_EQ(buffer->grow(buffer, 3), 0);
    buffer->data[0] = 0x18;
    buffer->data[1] = 0x64;
    buffer->size = 2;
    for (const std::size_t less : {1, 0}) {
      EXPECT_EQ(buffer->grow(buffer, less), 0);
      EXPECT_GE(buffer->capacity, 3u);
    }
    busbar_response response = ok_response();
    response.flags = BUSBAR_RESPONSE_HAS_VALUE;
    response.value = {buffer->data, buffer->size};
    const busbar_reply reply = reply_of(response);
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    return BUSBAR_REPLIED;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(Message("service")).response().value_as<int>(), 100);
}

TEST_P(CRouters, AnswerInvalidForEventsAndAssignsThatAreNoCbor) {
  serve([&](busbar_call* c, const busbar_message*) {
    const std::array<std::uint8_t, 3> garbage{0x9f, 0xff, 0xff}, cut{0xa1, 0x61, 'k'};
    const busbar_response response = ok_response();
    busbar_reply reply = reply_of(response);
    reply.events = {cut.data(), cut.size()};
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_INVALID);
    reply.events = {garbage.data(), garbage.size()};
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_INVALID);
    reply.events = {};
    reply.flags = BUSBAR_REPLY_ASSIGNS;
    reply.assigns = {cut.data(), cut.size()};
    EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_INVALID);
    return BUSBAR_REPLIED;
  });
  const Message back = call(Message("service").with_dry_run(DryRun::verbose));
  EXPECT_TRUE(back.response().is_bad_rpc("bad_return"));
}

TEST_P(CRouters, C_D7_SurviveAnExceptionThatLeavesTheHandler) {
  serve([](busbar_call*, const busbar_message*) -> std::uint32_t { throw std::runtime_error("out"); });
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("exit"));
}

TEST_P(CRouters, C_R6_AnswerExitForAStatusOfChooseNodeThatIsNone) {
  router = std::make_unique<CRouter>(
      "service", [](busbar_call*, const busbar_message*) { return BUSBAR_REPLIED; }, flags());
  router->c_router().choose_node = [](void*, const busbar_service*, busbar_call*, const busbar_message*,
                                      busbar_node_choice*) { return static_cast<busbar_status>(99); };
  hub.add("p", *router);
  EXPECT_TRUE(call(Message("service")).response().is_bad_rpc("exit"));
}

TEST_P(CRouters, C_R4_C_R6_AreNotSentOnWhereTheyWereAnsweredFromElsewhereMeanwhile) {
  router = std::make_unique<CRouter>(
      "service", [](busbar_call*, const busbar_message*) { return BUSBAR_REPLIED; }, flags());
  router->c_router().choose_node = [](void* self, const busbar_service*, busbar_call* c, const busbar_message*,
                                      busbar_node_choice* choice) {
    static_cast<CRouter*>(self)->handle(c, nullptr);
    choice->size = static_cast<std::uint32_t>(std::string_view("node-9").copy(choice->name, sizeof choice->name));
    return BUSBAR_DONE;
  };
  router->handle = [&](busbar_call* c, const busbar_message*) {
    std::thread([&] {
      const busbar_response response = ok_response();
      const busbar_reply reply = reply_of(response);
      EXPECT_EQ(c_host->reply(c, &reply), BUSBAR_DONE);
    }).join();
    return BUSBAR_NO_REPLY;
  };
  c_host = &hub.add("p", *router).c_host();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(call(Message("service")).response().succeeded()) << i;
}

// ----------------------------------------------------------------------- dispatching at the bare boundary

class CDispatch : public ::testing::Test {
 protected:
  CDispatch() {
    hub.add("p", Script()
                     .on("echo", [](Message& m, Context&) { return Response::ok_payload(m.raw_request()); })
                     .on("ids", [](Message& m, Context&) {
                       return Response::ok(
                           std::vector<std::string>{std::string(m.id()), std::string(m.correlation_id()),
                                                    std::string(m.causation_id()), std::string(m.origin_node())});
                     }));
    c_host = &hub.add("c", unused).c_host();
    message.struct_size = sizeof message;
    message.valid = 1;
    message.service_name = text("echo");
  }
  Message dispatch() {
    busbar_result* result = c_host->dispatch(c_host->context, nullptr, &message, nullptr);
    EXPECT_NE(result, nullptr);
    return detail::take_result(*c_host, result);
  }
  // What the asynchronous form comes to; the status where it is refused.
  std::variant<busbar_status, Message> dispatch_async() {
    std::promise<busbar_result*> outcome;
    const auto done = [](void* user, busbar_result* result) {
      static_cast<std::promise<busbar_result*>*>(user)->set_value(result);
    };
    const busbar_status status = c_host->dispatch_async(c_host->context, nullptr, &message, nullptr, done, &outcome);
    if (status != BUSBAR_DONE) return status;
    return detail::take_result(*c_host, outcome.get_future().get());
  }
  Hub hub;
  CRouter unused{"unused", [](busbar_call*, const busbar_message*) { return BUSBAR_REPLIED; }};
  const busbar_host* c_host = nullptr;
  busbar_message message{};
};

TEST_F(CDispatch, C_M2_SuppliesWhatThePluginLeftOut) {
  message.service_name = text("ids");
  const auto ids = dispatch().response().value_as<std::vector<std::string>>();
  EXPECT_EQ(ids[0].size(), 22u);
  EXPECT_EQ(ids[1], ids[0]);
  EXPECT_EQ(ids[2], ids[0]);
  EXPECT_EQ(ids[3], "node-1");
}

TEST_F(CDispatch, AnswersMalformedForIdsBeyondTheRule) {
  for (const std::string& id : {std::string("with space"), std::string(129, 'a')}) {
    message.id = text(id);
    EXPECT_TRUE(dispatch().response().is_error("malformed")) << id;
  }
}

TEST_F(CDispatch, AnswersMalformedForEventsThatAreNoCborAndDoesNotThrowIntoThePlugin) {
  const std::array<std::uint8_t, 3> cut{0x83, 0x01, 0x02};
  message.events = {cut.data(), cut.size()};
  EXPECT_TRUE(dispatch().response().is_error("malformed"));
  const auto async = dispatch_async();
  ASSERT_TRUE(std::holds_alternative<Message>(async));
  EXPECT_TRUE(std::get<Message>(async).response().is_error("malformed"));
}

TEST_F(CDispatch, TakesADryRunThatIsNoneForMalformed) {
  message.dry_run = 9;
  EXPECT_TRUE(dispatch().response().is_error("malformed"));
}

TEST_F(CDispatch, TakesAMessageSmallerThanTheFirstVersionsForMalformed) {
  // Only the first 16 bytes exist: the sanitizer sees who reads further.
  const auto bytes = std::make_unique<std::array<std::uint64_t, 2>>();
  auto* small = reinterpret_cast<busbar_message*>(bytes.get());
  const std::uint32_t size = 16;
  std::memcpy(bytes.get(), &size, sizeof size);
  busbar_result* result = c_host->dispatch(c_host->context, nullptr, small, nullptr);
  ASSERT_NE(result, nullptr);
  EXPECT_TRUE(detail::take_result(*c_host, result).response().is_error("malformed"));
}

TEST_F(CDispatch, TakesAMessageWhoseResponseIsSmallerThanTheFirstVersionsForMalformed) {
  const auto small = std::make_unique<std::uint32_t>(4);  // no more of it exists than its size
  message.response = reinterpret_cast<const busbar_response*>(small.get());
  message.halted = 1;
  EXPECT_TRUE(dispatch().response().is_error("malformed"));
}

TEST_F(CDispatch, C_D8_TakesDeadlinesBeyondAllClocksForNeverAndForLongAgo) {
  for (const std::int64_t never : {INT64_MAX, INT64_MAX / 1000 + 1}) {
    message.deadline_us = never;
    EXPECT_TRUE(dispatch().response().succeeded()) << never;
  }
  for (const std::int64_t long_ago : {std::int64_t{-1}, INT64_MIN / 1000 - 1, INT64_MIN}) {
    message.deadline_us = long_ago;
    EXPECT_EQ(dispatch().response().kind(), Response::Kind::service_timeout) << long_ago;
  }
}

TEST_F(CDispatch, RefusesAnAsynchronousDispatchWithoutACallback) {
  EXPECT_EQ(c_host->dispatch_async(c_host->context, nullptr, &message, nullptr, nullptr, nullptr), BUSBAR_INVALID);
}

TEST_F(CDispatch, ReturnsResultsThatOutliveTheResult) {
  const Payload request = Payload::of(std::string(3000, 'r'));
  message.raw_request = {request.bytes().data(), request.bytes().size()};
  const Message back = dispatch();  // the result has been released
  EXPECT_EQ(back.response().value_as<std::string>(), std::string(3000, 'r'));
  const auto async = dispatch_async();
  EXPECT_EQ(std::get<Message>(async).response().value_as<std::string>(), std::string(3000, 'r'));
}

TEST_F(CDispatch, C_M3_AMessageWithoutLogMetadataTakesThatOfTheCallThatCausesIt) {
  hub.add("m", Script().on("metadata", [](Message& m, Context&) { return Response::ok_payload(m.logger_metadata()); }));
  std::optional<Message> inner;
  CRouter outer("outer", [&](busbar_call* c, const busbar_message*) {
    message.service_name = text("metadata");
    inner = detail::take_result(*c_host, c_host->dispatch(c_host->context, c, &message, nullptr));
    return BUSBAR_NO_REPLY;
  });
  hub.add("o", outer);
  Message cause("outer");
  cause.with_logger_metadata(Payload::from_json({{"user", "ann"}}));
  hub.call(cause);
  EXPECT_EQ(inner.value().response().value().to_json(), (nlohmann::json{{"user", "ann"}}));
}

TEST_F(CDispatch, OffersNoExtensionYet) {
  EXPECT_EQ(c_host->extension(c_host->context, text("busbar.timer/1")), nullptr);
  EXPECT_EQ(c_host->struct_size, sizeof(busbar_host));
  EXPECT_EQ(c_host->abi_major, BUSBAR_ABI_MAJOR);
}

}  // namespace
}  // namespace busbar::testing

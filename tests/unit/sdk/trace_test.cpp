// W3C Trace Context: what is a traceparent, and how messages hand it on.
#include <busbar/message.hpp>

#include <gtest/gtest.h>

#include <string>

namespace busbar {
namespace {

constexpr std::string_view kGiven = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceParent, ReadsAndWritesWhatTheStandardShows) {
  const auto trace = TraceParent::parse(kGiven);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id_text(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_TRUE(trace->sampled());
  EXPECT_EQ(trace->text(), kGiven);
}

TEST(TraceParent, PassesOverWhatIsNone) {
  const std::string good(kGiven);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == '-' ? '0' : 'X';
    EXPECT_FALSE(TraceParent::parse(bad)) << bad;
    EXPECT_FALSE(TraceParent::parse(good.substr(0, i))) << i;
  }
  for (const std::string& bad : {std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
                                 std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
                                 std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
                                 "ff" + good.substr(2), good + "-01", good + " "}) {
    EXPECT_FALSE(TraceParent::parse(bad)) << bad;
  }
}

TEST(TraceParent, OfALaterVersionReadsWhatItKnows) {
  const std::string later = "cc" + std::string(kGiven).substr(2, 51) + "03-what-comes-then";
  const auto trace = TraceParent::parse(later);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->text(), kGiven);
  EXPECT_FALSE(TraceParent::parse("cc" + std::string(kGiven).substr(2) + "x"));
}

TEST(MessageTrace, EachMessageHasOneThatIsMadeOfItsIds) {
  const Message first("s");
  const Message second = Message::caused_by(first, "t");
  EXPECT_TRUE(first.traceparent().empty());
  EXPECT_FALSE(first.trace().sampled());
  ASSERT_TRUE(TraceParent::parse(first.trace().text()));
  EXPECT_EQ(first.trace().trace_id, second.trace().trace_id);
  EXPECT_NE(first.trace().span_id, second.trace().span_id);
  EXPECT_NE(first.trace().trace_id, Message("s").trace().trace_id);
  EXPECT_TRUE(second.traceparent().empty());  // nothing travels that can be made of the ids
}

// All nodes, and clients in other languages, must come to the same.
TEST(MessageTrace, IsTheIdsBitsOrOfAForeignIdItsHash) {
  const auto trace = trace_of("AAECAwQFBgcICQoLDA0ODw", "EBESExQVFhcYGRobHB0eHw");
  EXPECT_EQ(trace.text(), "00-000102030405060708090a0b0c0d0e0f-1011121314151617-00");
  EXPECT_EQ(trace_of("order-7", "order-7").text(), trace_of("order-7", "order-7").text());
  EXPECT_NE(trace_of("order-7", "x").trace_id, trace_of("order-8", "x").trace_id);
  const std::string zeros(22, 'A');
  EXPECT_TRUE(TraceParent::parse(trace_of(zeros, zeros).text()));
}

TEST(MessageTrace, OneThatWasBegunElsewhereIsHandedOnWithEachMessageAsTheSpan) {
  Message first("s");
  first.with_traceparent(kGiven);
  EXPECT_EQ(first.traceparent(), kGiven);
  EXPECT_EQ(first.trace().trace_id_text(), "0af7651916cd43dd8448eb211c80319c");
  const Message second = Message::caused_by(first, "t");
  EXPECT_EQ(second.traceparent(), first.trace().text());
  EXPECT_NE(second.trace().span_id, first.trace().span_id);
  const Message third = Message::caused_by(second, "u");
  EXPECT_EQ(third.trace().trace_id, first.trace().trace_id);
  EXPECT_TRUE(third.trace().sampled());
}

TEST(MessageTrace, WhatIsNoTraceparentIsPassedOver) {
  Message message("s");
  message.with_traceparent("00-zz");
  EXPECT_TRUE(message.traceparent().empty());
  EXPECT_TRUE(TraceParent::parse(message.trace().text()));
}

TEST(MessageTrace, CrossesTheBoundaryAndIsMissedInAnOlderStruct) {
  Message message("s");
  message.with_traceparent(kGiven);
  busbar_response response;
  busbar_message view = message.c_view(response);
  EXPECT_EQ(Message::borrow(view).traceparent(), kGiven);
  view.struct_size = offsetof(busbar_message, traceparent);
  const Message older = Message::borrow(view);
  EXPECT_TRUE(older.traceparent().empty());
  EXPECT_EQ(older.id(), message.id());
}

}  // namespace
}  // namespace busbar

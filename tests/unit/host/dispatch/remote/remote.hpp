// What the tests of calls between nodes have in common.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <tuple>

#include "support/linked_hubs.hpp"

namespace busbar::testing {

/// A test of both forms of a dispatch (C-D16).
class RemoteTest : public ::testing::TestWithParam<Form> {
 protected:
  static Message call(Hub& hub, Message message, host::DispatchOptions options = {}) {
    return hub.call(std::move(message), options, GetParam());
  }
  static Message call(Hub& hub, std::string_view service) { return call(hub, Message(service)); }
};

#define BUSBAR_BOTH_FORMS(Suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(BothForms, Suite, ::testing::Values(Form::blocking, Form::async), \
                           [](const auto& tested) { return tested.param == Form::blocking ? "Blocking" : "Async"; })

/// A test of node a that calls what is provided here, by a, or there, by b. In both forms (C-D16).
class HereAndThere : public ::testing::TestWithParam<std::tuple<Form, const char*>> {
 protected:
  static Form form() { return std::get<0>(GetParam()); }
  static std::string provider() { return std::get<1>(GetParam()); }
  Message call(Message message, host::DispatchOptions options = {}) {
    return net["a"].call(std::move(message), options, form());
  }
  LinkedHubs net{{"a", "b", "c"}};
};

#define BUSBAR_HERE_AND_THERE(Suite)                                                                               \
  INSTANTIATE_TEST_SUITE_P(                                                                                        \
      All, Suite, ::testing::Combine(::testing::Values(Form::blocking, Form::async), ::testing::Values("a", "b")), \
      [](const auto& tested) {                                                                                     \
        return std::string(std::get<0>(tested.param) == Form::blocking ? "Blocking" : "Async") +                   \
               (std::get<1>(tested.param)[0] == 'a' ? "Here" : "There");                                           \
      })

/// Holds threads up until it is opened.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    bell_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    bell_.wait(lock, [this] { return open_; });
  }
  bool reached(int by = 1) {
    return eventually([&] {
      const std::lock_guard lock(mutex_);
      return arrived_ >= by;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable bell_;
  bool open_ = false;
  int arrived_ = 0;
};

/// One service that answers with a text.
inline Script answering(const std::string& service, const std::string& text, std::uint32_t flags = 0) {
  return Script().on(
      service, [text](Message&, Context&) { return Response::ok(text); }, flags);
}
inline Script refusing(const std::string& service, const std::string& reason) {
  return Script().on(service, [reason](Message&, Context&) { return Response::try_another_node(reason); });
}

inline std::string shown(const Response& r) {
  return "kind " + std::to_string(static_cast<int>(r.kind())) + " " + std::string(r.error_code()) + " " +
         std::string(r.bad_rpc_kind()) + " " + std::string(r.text());
}

/// The nodes of error(no_nodes_available), as "node:reason", in the order in which they were asked.
inline std::vector<std::string> tried(const Response& response) {
  std::vector<std::string> out;
  if (!response.is_error(code::kNoNodesAvailable)) return {shown(response)};
  for (const auto& row : response.value().to_json()) {
    out.push_back(row.at("node").get<std::string>() + ":" + row.at("reason").get<std::string>());
  }
  return out;
}

}  // namespace busbar::testing

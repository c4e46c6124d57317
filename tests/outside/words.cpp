// A plugin that uses much of the standard library, so that one which meets the host's shows.
#include <busbar/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct Text {
  std::string text;
  std::optional<std::uint32_t> at_least;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text), CEREAL_NVP(at_least));
  }
};

struct Count {
  std::map<std::string, std::uint32_t> words;
  std::vector<std::string> longest_first;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(words), CEREAL_NVP(longest_first));
  }
};

class Words final : public busbar::Router {
 public:
  Words() {
    service(OUTSIDE_NAME "_words", &Words::count).doc("Counts the words of a text.").idempotent().dry_run_safe();
    service(OUTSIDE_NAME "_throws", &Words::fail).doc("Throws.");
    service(OUTSIDE_NAME "_later", &Words::later).doc("Answers from a thread of its own.");
  }

  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

  void stop() override {
    if (answering_.joinable()) answering_.join();
  }

 private:
  Count count(const Text& request, busbar::Context& context) {
    Count out;
    std::string word;
    for (const char c : request.text + " ") {
      if (c != ' ') {
        word += c;
      } else if (!word.empty()) {
        ++out.words[std::exchange(word, {})];
      }
    }
    std::erase_if(out.words, [&](const auto& entry) { return entry.second < request.at_least.value_or(1); });
    for (const auto& [name, times] : out.words) out.longest_first.push_back(name);
    std::sort(out.longest_first.begin(), out.longest_first.end(),
              [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
    context.log().info("counted " + std::to_string(out.words.size()) + " words");
    return out;
  }

  busbar::Response fail(const Text& request) { throw std::runtime_error("no words for \"" + request.text + "\""); }

  busbar::NoReply later(const Text& request, busbar::Context& context) {
    if (answering_.joinable()) answering_.join();
    answering_ = std::thread(
        [handle = context.reply_handle(), text = request.text]() mutable { handle.reply(busbar::Response::ok(text)); });
    return busbar::no_reply;
  }

  std::thread answering_;  // one caller at a time is enough here
};

}  // namespace

BUSBAR_PLUGIN(Words, OUTSIDE_NAME, "1.0.0")

#include "top/watcher.hpp"

#include <utility>

namespace busbar::cli {

HostWatcher::HostWatcher(ConnectPipe connect, std::chrono::milliseconds interval)
    : connect_(std::move(connect)), interval_(interval), due_(Clock::now()) {
  questions_[0].request.verb = wire::admin_verb::kStats;
  questions_[1].request.verb = wire::admin_verb::kPlugins;
}

bool HostWatcher::work() {
  try {
    const bool is_new = take();
    if (Clock::now() >= due_) ask();
    return is_new;
  } catch (const Failure& failure) {
    if (failure.status() != ExitStatus::no_host || !now_) throw;
    for (Question& question : questions_) question.pipe.reset();
    waits_ = false;
    gone_ = true;
    problem_ = failure.what();
    due_ = Clock::now() + interval_;
    return false;
  }
}

void HostWatcher::watch(std::vector<zmq_pollitem_t>& items) {
  for (const Question& question : questions_) {
    if (question.pipe) question.pipe->watch(items);
  }
}

void HostWatcher::ask() {
  due_ = Clock::now() + interval_;
  if (waits_) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - asked_at_);
    problem_ = "the host has not answered for " + std::to_string(waited.count()) + " s";
    return;
  }
  for (Question& question : questions_) {
    if (!question.pipe) question.pipe = connect_(question.request);
    question.answer.reset();
    question.pipe->begin(0, ++question.asked);
    question.pipe->flush();
  }
  asked_at_ = Clock::now();
  waits_ = true;
}

void HostWatcher::take(Question& question) {
  if (!question.pipe) return;
  question.pipe->flush();
  std::vector<wire::AdminAnswer> answers;
  question.pipe->take(answers);
  for (const auto& answer : answers) question.answer = payload_json(wire::payload_of(answer.document));
}

bool HostWatcher::take() {
  for (Question& question : questions_) take(question);
  if (!waits_ || !questions_[0].answer || !questions_[1].answer) return false;
  if (gone_) now_.reset();  // this is another one, in its place
  gone_ = false;
  before_ = std::exchange(now_, read_snapshot(*questions_[0].answer, *questions_[1].answer));
  problem_.clear();
  waits_ = false;
  return true;
}

}  // namespace busbar::cli

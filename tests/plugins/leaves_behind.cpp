// Leaves something behind in the process when it ends, whatever it is told to: a service for each.
#include <busbar/plugin.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <threads.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Built a second time, as its newer version.
#ifndef LEAVES_VERSION
#define LEAVES_VERSION "1.0.0"
#endif

extern "C" void wipe_traces(void*) {}
extern "C" void on_signal(int) {}

namespace {

struct File {
  std::string path;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(path));
  }
};

// Until somebody opens the FIFO for writing.
void wait_at(const std::string& fifo) { close(open(fifo.c_str(), O_RDONLY | O_CLOEXEC)); }

void call_oneself(const char* name) { pthread_setname_np(pthread_self(), name); }

int wait_in_c(void* fifo) {
  const std::string path(static_cast<char*>(fifo));
  std::free(fifo);
  call_oneself("in-c");
  wait_at(path);
  return 0;
}

std::string& traces() {
  static thread_local std::string text = "a text that is too long for being kept in place";
  return text;
}

// What is written when the library goes.
std::string& written_by_atexit() {
  static auto& path = *new std::string;
  return path;
}
struct Goodbye {
  std::string path;
  ~Goodbye() {
    if (!path.empty()) std::ofstream(path).put('\n');
  }
} goodbye;

class LeavesBehind final : public busbar::Router {
 public:
  LeavesBehind() {
    service("leaves", &LeavesBehind::nothing);
    service("leave_thread", &LeavesBehind::thread);
    service("leave_thread_of_thread", &LeavesBehind::thread_of_thread);
    service("leave_thread_that_exits", &LeavesBehind::thread_that_exits);
    service("leave_c_thread", &LeavesBehind::c_thread);
    service("leave_key", &LeavesBehind::key);
    service("leave_no_key", &LeavesBehind::no_key);
    service("leave_signal_handler", &LeavesBehind::signal_handler);
    service("leave_terminate_handler", &LeavesBehind::terminate_handler);
    service("leave_thread_local", &LeavesBehind::thread_local_object).inlined();
    service("leave_atexit", &LeavesBehind::at_exit);
    service("leave_static", &LeavesBehind::static_object);
    service("leave_no_answer", &LeavesBehind::no_answer);
  }
  busbar::Authorization authorize(const busbar::Message&) override { return busbar::authorized(); }

 private:
  std::string nothing() { return LEAVES_VERSION; }
  void thread(const File& fifo) {
    std::thread([fifo] {
      call_oneself("left-behind");
      wait_at(fifo.path);
    }).detach();
  }
  // The first ends at once.
  void thread_of_thread(const File& fifo) {
    std::thread([fifo] {
      std::thread([fifo] {
        call_oneself("grandchild");
        wait_at(fifo.path);
      }).detach();
    }).join();
  }
  void thread_that_exits(const File& fifo) {
    std::thread([fifo] {
      {
        call_oneself("exits");
        wait_at(std::string(fifo.path));
      }
      pthread_exit(nullptr);
    }).detach();
  }
  void c_thread(const File& fifo) {
    thrd_t id{};
    if (thrd_create(&id, &wait_in_c, strdup(fifo.path.c_str())) != thrd_success) throw std::runtime_error("no thread");
    thrd_detach(id);
  }
  void key() {
    pthread_key_t made{};
    pthread_key_create(&made, &wipe_traces);
  }
  void no_key() {
    pthread_key_t made{};
    pthread_key_create(&made, &wipe_traces);
    pthread_key_delete(made);
  }
  void signal_handler() { ::signal(SIGUSR2, &on_signal); }
  void terminate_handler() {
    std::set_terminate([] { _exit(99); });
  }
  std::size_t thread_local_object() { return traces().size(); }
  void at_exit(const File& file) {
    written_by_atexit() = file.path;
    std::atexit([] { std::ofstream(written_by_atexit()).put('\n'); });
  }
  void static_object(const File& file) { goodbye.path = file.path; }
  busbar::NoReply no_answer(busbar::Context& context) {
    kept_ = context.reply_handle();
    return busbar::no_reply;
  }

  std::optional<busbar::ReplyHandle> kept_;
};

}  // namespace

BUSBAR_PLUGIN(LeavesBehind, "leaves_behind", LEAVES_VERSION)

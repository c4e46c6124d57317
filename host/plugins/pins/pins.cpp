#include "plugins/pins/pins.hpp"

#include <signal.h>

#include <cstring>
#include <exception>
#include <new>

#include "plugins/file/service_facts.hpp"
#include "plugins/pins/function_names.hpp"
#include "plugins/pins/images.hpp"
#include "plugins/pins/keys.hpp"
#include "plugins/pins/threads.hpp"

namespace busbar::host {

namespace {

std::vector<AddressRange> ranges_of(const std::vector<MappedImage>& images) {
  std::vector<AddressRange> out;
  for (const MappedImage& image : images) out.push_back(image.range);
  return out;
}

void look_for_threads(const std::vector<AddressRange>& code, std::vector<std::string>& pins) {
  for (const LiveThread& thread : threads_started_in(code)) {
    pins.push_back(thread.id == 0 ? "a thread that it started is about to run"
                                  : "thread \"" + printable(thread.name) + "\" (" + std::to_string(thread.id) +
                                        ") that it started still runs");
  }
}

void look_for_signal_handlers(const std::vector<AddressRange>& code, std::vector<std::string>& pins) {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    const void* handler = (action.sa_flags & SA_SIGINFO) != 0 ? reinterpret_cast<const void*>(action.sa_sigaction)
                                                              : reinterpret_cast<const void*>(action.sa_handler);
    if (!any_has(code, handler)) continue;
    const char* name = sigabbrev_np(number);
    pins.push_back("it has a handler for " +
                   (name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number)));
  }
}

}  // namespace

std::vector<std::string> pins_of(const std::filesystem::path& library) {
  const std::vector<MappedImage> images = images_that_go_with(library);
  const std::vector<AddressRange> code = ranges_of(images);
  std::vector<std::string> pins;
  look_for_threads(code, pins);
  for (const void* destructor : key_destructors_in(code)) {
    pins.push_back("a pthread key whose destructor " + function_at(images, destructor) + " is its own was not deleted");
  }
  look_for_signal_handlers(code, pins);
  if (any_has(code, reinterpret_cast<const void*>(std::get_terminate()))) {
    pins.emplace_back("its function is the process's terminate handler");
  }
  if (any_has(code, reinterpret_cast<const void*>(std::get_new_handler()))) {
    pins.emplace_back("its function is the process's new handler");
  }
  return pins;
}

}  // namespace busbar::host

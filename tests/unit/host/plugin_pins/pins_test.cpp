// What holds a library in this process. The plugins are fixtures, mapped here, of which nothing is run.
#include "plugins/pins/pins.hpp"

#include <busbar/abi.h>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <latch>
#include <string>
#include <thread>

#include "plugins/pins/images.hpp"
#include "plugins/pins/interpose.hpp"
#include "plugins/pins/loader_reasons.hpp"
#include "plugins/pins/threads.hpp"

namespace busbar::host {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::filesystem::path file_of(const std::string& name) {
  return std::filesystem::path(BUSBAR_FIXTURES) / name / (name + ".so");
}

// A fixture that is mapped while this lives.
class Mapped {
 public:
  explicit Mapped(const std::string& name) : handle_(dlopen(file_of(name).c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(handle_, nullptr) << dlerror();
  }
  ~Mapped() { dlclose(handle_); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  // Some function of it, by whatever type.
  template <class Function>
  Function* function() const {
    return reinterpret_cast<Function*>(dlsym(handle_, BUSBAR_ENTRY_SYMBOL));
  }

 private:
  void* handle_;
};

std::vector<std::string> sonames_that_go_with(const std::string& name) {
  std::vector<std::string> out;
  for (const MappedImage& image : images_that_go_with(file_of(name))) out.push_back(image.soname);
  return out;
}

TEST(MappedImages, AreTheProgramAndItsLibraries) {
  std::vector<std::string> sonames;
  for (const MappedImage& image : mapped_images()) sonames.push_back(image.soname);
  EXPECT_EQ(mapped_images().front().path, "");
  EXPECT_TRUE(mapped_images().front().range.has(reinterpret_cast<const void*>(&file_of)));
  EXPECT_THAT(sonames, Contains("libc.so.6"));
}

TEST(MappedImages, OnlyWhatNobodyElseNeedsGoesWithALibrary) {
  EXPECT_THAT(sonames_that_go_with("helped_1"), IsEmpty()) << "it is not mapped";
  const Mapped plugin("helped_1");
  EXPECT_THAT(sonames_that_go_with("helped_1"), ElementsAre("helped_1.so", "libbusbar_tests_helper.so"));
  const Mapped other("helped_2");
  EXPECT_THAT(sonames_that_go_with("helped_1"), ElementsAre("helped_1.so"));
}

TEST(Pins, AreNoneOfALibraryThatHasLeftNothing) {
  const Mapped plugin("good");
  EXPECT_THAT(pins_of(file_of("good")), IsEmpty());
}

TEST(Pins, AreHandlersOfSignals) {
  const Mapped plugin("good");
  const auto before = signal(SIGUSR2, plugin.function<void(int)>());
  EXPECT_THAT(pins_of(file_of("good")), ElementsAre("it has a handler for SIGUSR2"));
  signal(SIGUSR2, before);
  EXPECT_THAT(pins_of(file_of("good")), IsEmpty());
}

TEST(Pins, AreKeysWithADestructorOfTheLibraryWhichIsNamed) {
  if (!kInterposes) GTEST_SKIP() << "a sanitizer has its own version of these functions";
  const Mapped plugin("good");
  pthread_key_t key{};
  ASSERT_EQ(pthread_key_create(&key, plugin.function<void(void*)>()), 0);
  EXPECT_THAT(pins_of(file_of("good")), ElementsAre(HasSubstr("\"" BUSBAR_ENTRY_SYMBOL "\"")));
  pthread_key_delete(key);
  EXPECT_THAT(pins_of(file_of("good")), IsEmpty());
}

// Its entry: what it returns is the thread's.
TEST(Pins, AreNoThreadsThatHaveEnded) {
  if (!kInterposes) GTEST_SKIP() << "a sanitizer has its own version of these functions";
  ASSERT_TRUE(watches_threads());
  const Mapped plugin("good");
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_t id{};
  ASSERT_EQ(pthread_create(&id, &attributes, plugin.function<void*(void*)>(), nullptr), 0);
  pthread_join(id, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_THAT(pins_of(file_of("good")), IsEmpty()) << "it had ended before it was joined";
}

TEST(Pins, AreNoThreadsThatThisProgramHasStarted) {
  const Mapped plugin("good");
  std::latch running(1);
  std::latch enough(1);
  std::thread thread([&] {
    running.count_down();
    enough.wait();
  });
  running.wait();
  EXPECT_THAT(pins_of(file_of("good")), IsEmpty());
  enough.count_down();
  thread.join();
}

TEST(LoaderReasons, SayWhatOfTheFileItIs) {
  EXPECT_THAT(why_loader_keeps(file_of("no_delete")).reason, HasSubstr("-z nodelete"));
  EXPECT_TRUE(why_loader_keeps(file_of("no_delete")).for_ever);
  const KeptByLoader by_thread_local = why_loader_keeps(file_of("thread_local_destructor"));
  EXPECT_THAT(by_thread_local.reason, HasSubstr("()::text"));  // clang adds a tag
  EXPECT_THAT(by_thread_local.reason, Not(HasSubstr("guard variable")));
  EXPECT_FALSE(by_thread_local.for_ever);
#if !defined(__clang__)  // which makes none
  EXPECT_THAT(why_loader_keeps(file_of("unique_symbols")).reason, HasSubstr("Counter::value()::counter"));
#endif
  EXPECT_THAT(why_loader_keeps("/nowhere/at/all.so").reason, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace busbar::host

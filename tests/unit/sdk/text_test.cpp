// Short texts: in place, borrowed, owned.
#include <busbar/text.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace busbar {
namespace {

std::string of_size(std::size_t size) { return std::string(size, 'x') + ""; }

TEST(TextTest, IsEmptyByDefault) {
  const Text text;
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(text.view(), "");
}

TEST(TextTest, OwnsItsCharactersWhateverTheirNumber) {
  for (const std::size_t size : {0u, 1u, 23u, 24u, 25u, 255u, 100'000u}) {
    auto source = std::make_unique<std::string>(of_size(size));
    const std::string expected = *source;
    const Text text(*source);
    const Text copy(text);
    source->assign(size, '!');
    source.reset();
    EXPECT_EQ(text.view(), expected);
    EXPECT_EQ(copy.view(), expected);
    EXPECT_EQ(text.c_text().size, size);
  }
}

TEST(TextTest, BorrowsWithoutCopyingAndItsCopiesOwn) {
  for (const std::size_t size : {1u, 24u, 25u, 1000u}) {
    auto source = std::make_unique<std::string>(of_size(size));
    const std::string expected = *source;
    Text borrowed = Text::borrow(*source);
    EXPECT_EQ(borrowed.view().data(), source->data());
    const Text copy(borrowed);
    Text assigned;
    assigned = borrowed;
    const Text moved(std::move(borrowed));
    EXPECT_EQ(moved.view().data(), source->data()) << "moving keeps it borrowed";
    source.reset();
    EXPECT_EQ(copy.view(), expected);
    EXPECT_EQ(assigned.view(), expected);
  }
}

TEST(TextTest, BorrowsEmptyTextWithANullPointer) {
  const Text text = Text::borrow(busbar_text{nullptr, 0});
  EXPECT_TRUE(text.empty());
  const Text copy(text);
  EXPECT_TRUE(copy.empty());
}

TEST(TextTest, MovingLeavesAnEmptyOne) {
  for (const std::size_t size : {5u, 500u}) {
    Text from(of_size(size));
    Text to(std::move(from));
    EXPECT_TRUE(from.empty());
    EXPECT_EQ(to.view(), of_size(size));
    from = Text("again");
    EXPECT_EQ(from.view(), "again");
  }
}

TEST(TextTest, CanBeAssignedToAndFromItself) {
  for (const std::size_t size : {5u, 500u}) {
    Text text(of_size(size));
    Text& same = text;
    text = same;
    EXPECT_EQ(text.view(), of_size(size));
    text = std::move(same);
    EXPECT_EQ(text.view(), of_size(size));
    Text part(text.view().substr(1));
    text = part;
    EXPECT_EQ(text.view(), of_size(size - 1));
  }
}

TEST(TextTest, ReplacesWhateverItHeld) {
  Text text(of_size(500));
  text = Text(of_size(3));
  EXPECT_EQ(text.view(), of_size(3));
  const std::string source = of_size(40);
  text = Text::borrow(source);
  text = Text(of_size(600));
  EXPECT_EQ(text.view(), of_size(600));
}

}  // namespace
}  // namespace busbar

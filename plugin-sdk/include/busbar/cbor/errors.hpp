// What can be wrong with a payload, as exceptions. None of them is thrown on the good path.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace busbar {

/// One row of the details of a `validation_error`: where, what was asked for, what was there.
/// Example: {"items[3].price", "number", "text"}; the path of the payload itself is empty.
struct FieldError {
  std::string path, expected, found;
  bool operator==(const FieldError&) const = default;
};

/// The payload is CBOR, but does not fit the C++ type. Carries every fault, not the first alone; but no more than 256,
/// so that a hostile payload cannot make the answer many times its own size.
class DecodeError : public std::runtime_error {
 public:
  explicit DecodeError(std::vector<FieldError> fields, bool all_listed = true, const std::string& what = "the payload")
      : std::runtime_error(summary(fields, all_listed, what)),
        fields_(std::make_shared<const std::vector<FieldError>>(std::move(fields))),
        all_listed_(all_listed) {}

  const std::vector<FieldError>& fields() const noexcept { return *fields_; }

  /// The same, whose text says `what` could not be read in place of "the payload".
  DecodeError of(const std::string& what) const { return DecodeError(*fields_, all_listed_, what); }

 private:
  static std::string summary(const std::vector<FieldError>& fields, bool all_listed, const std::string& what) {
    std::string text = "could not read " + what;
    if (fields.empty()) return text;
    const FieldError& first = fields.front();
    text += first.path.empty() ? std::string(": ") : ": field \"" + first.path + "\": ";
    text += "expected " + first.expected + ", found " + first.found;
    const char* least = all_listed ? "" : "at least ";
    if (fields.size() > 1) text += " (and " + (least + std::to_string(fields.size() - 1)) + " more)";
    return text;
  }

  // Shared, because copying an exception must not throw.
  std::shared_ptr<const std::vector<FieldError>> fields_;
  bool all_listed_;
};

/// The bytes are no payload at all: not valid CBOR, cut off, with something behind, or beyond a limit.
class MalformedPayload : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A value cannot be written as a payload: text that is not UTF-8, nesting beyond 64, a year of five digits.
class EncodeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An item is not what the reader of it can take. What a Codec throws: the archive notes it as one of its faults.
class Unfit : public std::runtime_error {
 public:
  Unfit(const std::string& expected, const std::string& found)
      : std::runtime_error("could not read the payload: expected " + expected + ", found " + found),
        texts_(std::make_shared<const FieldError>(FieldError{{}, expected, found})) {}

  const std::string& expected() const noexcept { return texts_->expected; }
  const std::string& found() const noexcept { return texts_->found; }

 private:
  std::shared_ptr<const FieldError> texts_;
};

/// A payload holds what JSON cannot say: NaN, an infinity, an integer below -2^63, a simple value without a meaning.
class NotJson : public Unfit {
 public:
  explicit NotJson(const std::string& found) : Unfit("what JSON can say", found) {}
};

}  // namespace busbar

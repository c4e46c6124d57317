// New message ids: 22 characters of base64url for 128 random bits (C-M2).
#pragma once

#include <busbar/text.hpp>

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <stdexcept>

namespace busbar {

namespace detail {

/// xoshiro256++ (Blackman and Vigna, public domain algorithm): ids must be unique, not unguessable, and asking the
/// kernel for each would cost more than the call that carries it.
struct IdSource {
  std::array<std::uint64_t, 4> state{};

  static constexpr std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  std::uint64_t next() {
    if ((state[0] | state[1] | state[2] | state[3]) == 0) seed();
    const std::uint64_t result = rotate(state[0] + state[3], 23) + state[0];
    const std::uint64_t t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 45);
    return result;
  }

  void seed() {
    if (getrandom(state.data(), sizeof state, 0) != static_cast<ssize_t>(sizeof state)) {
      throw std::runtime_error("could not make a message id: the kernel gave no random bytes");
    }
  }
};

/// One source a thread. Trivially destructible on purpose: a thread_local with a destructor would keep a plugin's
/// library mapped for as long as any thread that touched it lives. Not for use after fork without exec: the child
/// would repeat its parent's ids.
inline IdSource& id_source() {
  static thread_local constinit IdSource source{};
  return source;
}

}  // namespace detail

/// A new id. Errors: throws std::runtime_error where the kernel refuses random bytes for the thread's first one.
inline Text new_message_id() {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  auto& source = detail::id_source();
  std::array<std::uint64_t, 2> bits{source.next(), source.next()};
  return Text::written<22>([&bits](char* out) {
    // 10 characters from each word's upper 60 bits, and the last two from the 8 bits that remain.
    for (int word = 0; word < 2; ++word) {
      for (int i = 0; i < 10; ++i) out[word * 10 + i] = kAlphabet[(bits[word] >> (58 - 6 * i)) & 63];
    }
    const std::uint64_t rest = ((bits[0] & 15) << 4) | (bits[1] & 15);
    out[20] = kAlphabet[rest >> 2];
    out[21] = kAlphabet[(rest & 3) << 4];
  });
}

}  // namespace busbar

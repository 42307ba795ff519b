// Random input for fuzz tests of cores, and what holds whatever comes in: an access that waits is
// answered once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>

#include "gtest/gtest.h"
#include "service/message.h"

namespace hv::service {

// The same seed gives the same messages.
class RandomMessages {
 public:
  explicit RandomMessages(uint64_t seed) : random_(seed) {}

  uint64_t Number() { return random_(); }
  uint64_t Number(uint64_t below) { return random_() % below; }
  uint32_t Word() { return static_cast<uint32_t>(random_()); }
  uint8_t Byte() { return static_cast<uint8_t>(random_()); }
  bool OneIn(uint64_t n) { return Number(n) == 0; }
  template <typename T, size_t n>
  const T& OneOf(const T (&values)[n]) {
    return values[Number(n)];
  }

  // Under a tag of its own.
  template <typename T>
  Message Of(uint32_t from, uint16_t kind, const T& payload) {
    return Message::Of(from, kind, Word(), payload);
  }
  // Bytes without a meaning.
  Message Noise() {
    Message message{
        .from = Word(), .kind = static_cast<uint16_t>(Number(HV_KIND_COUNT)), .tag = Word()};
    for (uint8_t& byte : message.payload) byte = Byte();
    return message;
  }
  // `bytes`, of which there are some, with up to `most` of them changed.
  std::string Damaged(std::string bytes, uint64_t most) {
    for (uint64_t changes = 1 + Number(most); changes > 0; --changes) {
      bytes[Number(bytes.size())] = static_cast<char>(Byte());
    }
    return bytes;
  }

 private:
  std::mt19937_64 random_;
};

// A read or write that is awaited has one answer among `sent`, to who asked, under its tag; nothing
// else has any.
inline void ExpectOneAnswer(const Message& message, std::span<const Outgoing> sent) {
  const bool awaited = message.kind == HV_KIND_READ || message.kind == HV_KIND_WRITE;
  const auto is_answer = [](const Outgoing& out) {
    return out.kind == HV_KIND_READ_DONE || out.kind == HV_KIND_WRITE_DONE;
  };
  ASSERT_EQ(std::count_if(sent.begin(), sent.end(), is_answer), awaited ? 1 : 0);
  if (!awaited) return;
  const Outgoing& answer = *std::find_if(sent.begin(), sent.end(), is_answer);
  EXPECT_EQ(answer.to, message.from);
  EXPECT_EQ(answer.tag, message.tag);
  EXPECT_EQ(answer.kind, message.kind == HV_KIND_READ ? HV_KIND_READ_DONE : HV_KIND_WRITE_DONE);
}

}  // namespace hv::service

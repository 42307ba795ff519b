#include "bench/workloads/compute.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace hv::bench {
namespace {

using Digest = std::array<uint32_t, 8>;

// The first 32 bits of the fractional parts of cube roots of primes (FIPS 180-4, 4.2.2).
std::array<uint32_t, 64> RoundConstants() {
  std::array<uint32_t, 64> constants{};
  size_t found = 0;
  for (uint32_t n = 2; found < constants.size(); ++n) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; ++d) prime &= n % d != 0;
    if (!prime) continue;
    const long double root = std::cbrt(static_cast<long double>(n));
    constants[found++] = static_cast<uint32_t>((root - std::floor(root)) * 4294967296.0L);
  }
  return constants;
}

// FIPS 180-4, 6.2.2.
void Compress(Digest& digest, const uint8_t* block, const std::array<uint32_t, 64>& constants) {
  std::array<uint32_t, 64> w;
  for (size_t i = 0; i < 16; ++i) {
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = digest;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    const uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const Digest change{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < digest.size(); ++i) digest[i] += change[i];
}

// A machine of eight registers, so that the loop below is a jump through a table.
enum class Operation : uint8_t {
  kAdd,
  kSubtract,
  kXor,
  kShift,
  kMultiply,
  kMove,
  kJumpIfOdd,
  kNext
};
struct Step {
  Operation operation;
  uint8_t to;
  uint8_t from;
};

std::vector<Step> RandomProgram(size_t length) {
  std::mt19937 random(7);
  std::vector<Step> program(length);
  for (Step& step : program) {
    step = {static_cast<Operation>(random() % 8), static_cast<uint8_t>(random() % 8),
            static_cast<uint8_t>(random() % 8)};
  }
  return program;
}

struct Body {
  std::array<double, 3> at, speed;
  double mass;
};

constexpr size_t kSide = 192;
using Matrix = std::vector<float>;

// The same loop for each instruction set; the compiler makes vectors of it.
[[gnu::always_inline]] inline void MultiplyRows(const Matrix& a, const Matrix& b, Matrix& c) {
  for (size_t i = 0; i < kSide; ++i) {
    for (size_t k = 0; k < kSide; ++k) {
      const float factor = a[i * kSide + k];
      for (size_t j = 0; j < kSide; ++j) c[i * kSide + j] += factor * b[k * kSide + j];
    }
  }
}
[[gnu::target("avx2,fma")]] void MultiplyByAvx2(const Matrix& a, const Matrix& b, Matrix& c) {
  MultiplyRows(a, b, c);
}
void MultiplyBySse2(const Matrix& a, const Matrix& b, Matrix& c) { MultiplyRows(a, b, c); }

}  // namespace

uint64_t Sha256(uint32_t times) {
  const auto constants = RoundConstants();
  std::vector<uint8_t> data(65536);
  std::iota(data.begin(), data.end(), uint8_t{1});
  Digest digest{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (uint32_t time = 0; time < times; ++time) {
    for (size_t at = 0; at < data.size(); at += 64) Compress(digest, &data[at], constants);
  }
  return uint64_t{digest[0]} << 32 | digest[7];
}

uint64_t Sort(uint32_t times) {
  std::mt19937 random(11);
  std::vector<uint32_t> numbers(100'000);
  uint64_t sum = 0;
  for (uint32_t time = 0; time < times; ++time) {
    for (uint32_t& number : numbers) number = static_cast<uint32_t>(random());
    std::sort(numbers.begin(), numbers.end());
    sum += numbers[time % numbers.size()];
  }
  return sum;
}

uint64_t Interpret(uint32_t times) {
  const std::vector<Step> program = RandomProgram(1024);
  std::array<uint64_t, 8> r{1, 2, 3, 5, 7, 11, 13, 17};
  size_t at = 0;
  for (uint64_t step = 0; step < times * uint64_t{1'000'000}; ++step) {
    const Step& now = program[at];
    at = (at + 1) % program.size();
    switch (now.operation) {
      case Operation::kAdd: r[now.to] += r[now.from]; break;
      case Operation::kSubtract: r[now.to] -= r[now.from] + 1; break;
      case Operation::kXor: r[now.to] ^= r[now.from]; break;
      case Operation::kShift: r[now.to] = std::rotl(r[now.to], now.from + 1); break;
      case Operation::kMultiply: r[now.to] *= r[now.from] | 3; break;
      case Operation::kMove: r[now.to] = r[now.from] + step; break;
      case Operation::kJumpIfOdd:
        if ((r[now.from] & 1) != 0) at = (at + now.to) % program.size();
        break;
      case Operation::kNext: ++r[now.to]; break;
    }
  }
  return std::accumulate(r.begin(), r.end(), uint64_t{0});
}

uint64_t NBody(uint32_t times) {
  std::array<Body, 5> bodies{{{{0, 0, 0}, {0, 0, 0}, 40},
                              {{5, -1, 0}, {0.5, 2.5, 0}, 0.04},
                              {{8, 4, -0.5}, {-1, 1.8, 0}, 0.01},
                              {{13, -15, 0}, {1, 0.8, 0}, 0.002},
                              {{15, -26, 0.2}, {1, 0.6, 0}, 0.002}}};
  constexpr double kStep = 0.001;
  for (uint64_t step = 0; step < times * uint64_t{20'000}; ++step) {
    for (size_t i = 0; i < bodies.size(); ++i) {
      for (size_t j = i + 1; j < bodies.size(); ++j) {
        std::array<double, 3> d;
        double square = 0;
        for (size_t k = 0; k < 3; ++k) {
          d[k] = bodies[i].at[k] - bodies[j].at[k];
          square += d[k] * d[k];
        }
        const double pull = kStep / (square * std::sqrt(square));
        for (size_t k = 0; k < 3; ++k) {
          bodies[i].speed[k] -= d[k] * bodies[j].mass * pull;
          bodies[j].speed[k] += d[k] * bodies[i].mass * pull;
        }
      }
    }
    for (Body& body : bodies) {
      for (size_t k = 0; k < 3; ++k) body.at[k] += kStep * body.speed[k];
    }
  }
  return std::bit_cast<uint64_t>(bodies[1].at[0]);
}

uint64_t Multiply(uint32_t times) {
  Matrix a(kSide * kSide), b(kSide * kSide), c(kSide * kSide);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i % 17) / 16;
    b[i] = static_cast<float>(i % 13) / 32;
  }
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  for (uint32_t time = 0; time < times; ++time) {
    std::fill(c.begin(), c.end(), 0.0f);
    (avx2 ? MultiplyByAvx2 : MultiplyBySse2)(a, b, c);
    std::swap(b[time % b.size()], c[time % c.size()]);
    b[time % b.size()] = std::fmod(b[time % b.size()], 1.0f);
  }
  return std::bit_cast<uint32_t>(c[kSide]);
}

uint64_t ChasePointers(uint32_t times) {
  // Sattolo's: one cycle through all of them.
  std::vector<std::array<uint32_t, 16>> list(262'144);
  std::vector<uint32_t> order(list.size());
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937 random(13);
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random() % i]);
  for (size_t i = 0; i < order.size(); ++i) list[order[i]][0] = order[(i + 1) % order.size()];
  uint32_t at = 0;
  uint64_t sum = 0;
  for (uint64_t step = 0; step < times * uint64_t{list.size()}; ++step) {
    at = list[at][0];
    sum += at;
  }
  return sum;
}

}  // namespace hv::bench

#include "hv_kernel/soft/differential/sweep.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <vector>

namespace hv::soft::differential {
namespace {

namespace x86 = asmjit::x86;

constexpr uint64_t kMostTurns = 80;
constexpr uint64_t kMostWalkers = 3;
constexpr uint64_t kPage = 4096;
// What a turn may touch beside where a pointer stands.
constexpr int32_t kReach = 96;

const x86::Gp kWalkers[] = {x86::rbx, x86::rbp, x86::rsi, x86::rdi, x86::r15};
const x86::Gp kValues[] = {x86::rax, x86::rdx, x86::r8, x86::r9, x86::r10};
const x86::Gp kTurnsLeft = x86::rcx, kLoaded = x86::r11;

class Sweep {
 public:
  Sweep(x86::Assembler& a, std::mt19937_64& random, const SweepPlace& place)
      : a_(a), random_(random), place_(place) {}

  void Emit() {
    const uint64_t turns = 1 + Roll(kMostTurns);
    const uint64_t count = 1 + Roll(kMostWalkers);
    values_ = 1 + Roll(std::size(kValues));
    std::vector<size_t> order{0, 1, 2, 3, 4};
    std::shuffle(order.begin(), order.end(), random_);
    for (uint64_t i = 0; i < count; ++i) SetUp(kWalkers[order[i]], turns);
    a_.mov(kTurnsLeft.r32(), static_cast<uint32_t>(turns));
    const asmjit::Label again = a_.newLabel();
    out_ = a_.newLabel();
    a_.bind(again);
    for (uint64_t accesses = 1 + Roll(6); accesses > 0; --accesses) One();
    for (const Walker& walker : walkers_) {
      if (walker.step != 0) a_.add(walker.reg, walker.step);
    }
    a_.dec(kTurnsLeft);
    a_.jnz(again);
    a_.bind(out_);
  }

 private:
  struct Walker {
    x86::Gp reg;
    int32_t step;
  };

  uint64_t Roll(uint64_t below) { return random_() % below; }
  const x86::Gp& Value() { return kValues[Roll(values_)]; }
  const Walker& AnyWalker() { return walkers_[Roll(walkers_.size())]; }

  x86::Gp Sized(const x86::Gp& reg, uint32_t bytes) {
    switch (bytes) {
      case 8: return reg;
      case 4: return reg.r32();
      case 2: return reg.r16();
      default: return reg.r8();
    }
  }

  // So that it stays inside for all turns, or, seldom, leaves downward half-way.
  void SetUp(const x86::Gp& reg, uint64_t turns) {
    static constexpr int32_t kSteps[] = {0, 0, 1, 4, 8, 8, 16, 32, 48, -4, -8, -16};
    const int32_t step = kSteps[Roll(std::size(kSteps))];
    const uint64_t span = turns * static_cast<uint64_t>(std::abs(step)) + 2 * kReach;
    uint64_t lowest = place_.first + Roll(place_.bytes - span);
    // Over the end of a page, and at the end of one from the beginning.
    if (Roll(2) == 0) lowest = (lowest | (kPage - 1)) - Roll(span);
    lowest = std::clamp(lowest, place_.first, place_.first + place_.bytes - span);
    uint64_t begin = lowest + kReach + (step < 0 ? span - 2 * kReach : 0);
    if (step < 0 && Roll(12) == 0) begin = place_.first + kReach;
    a_.mov(reg, begin);
    walkers_.push_back({reg, step});
  }

  x86::Mem Place(uint32_t bytes) {
    const auto displacement = static_cast<int32_t>(Roll(kReach - 32)) - kReach / 2;
    return x86::ptr(AnyWalker().reg, Roll(3) == 0 ? 0 : displacement, bytes);
  }

  void Operate(const asmjit::Operand_& to, const asmjit::Operand_& from) {
    static constexpr x86::Inst::Id kOperations[] = {x86::Inst::kIdAdd, x86::Inst::kIdSub,
                                                    x86::Inst::kIdAdc, x86::Inst::kIdXor,
                                                    x86::Inst::kIdCmp, x86::Inst::kIdMov};
    a_.emit(kOperations[Roll(std::size(kOperations))], to, from);
  }

  void One() {
    const uint32_t bytes = 1u << Roll(4);
    switch (Roll(20)) {
      case 0:
      case 1:
      case 2:
      case 3: Operate(Sized(Value(), bytes), Place(bytes)); break;
      case 4:
      case 5:
      case 6: a_.mov(Place(bytes), Sized(Value(), bytes)); break;
      case 7:
      case 8: Operate(Place(bytes), Sized(Value(), bytes)); break;
      case 9:
      case 10: Vector(); break;
      case 11:
      case 12: Reloaded(bytes); break;
      case 13: Table(bytes); break;
      case 14: HighByte(); break;
      case 15: Stack(); break;
      case 16: LeaveInTheMiddle(bytes); break;
      case 17: a_.setc(Place(1)); break;
      case 18: Rewrite(); break;
      default: Fault();
    }
  }

  void Vector() {
    const x86::Xmm xmm = x86::xmm(static_cast<uint32_t>(Roll(16)));
    switch (Roll(3)) {
      case 0: a_.vmovdqu(xmm.ymm(), Place(32)); break;
      case 1: a_.movdqu(Place(16), xmm); break;
      default: a_.vpaddd(xmm, xmm, Place(16));
    }
  }

  // A pointer that is loaded in each turn, and always the same one.
  void Reloaded(uint32_t bytes) {
    const uint64_t to = place_.first + Roll(place_.bytes - kReach);
    const x86::Mem cell = x86::qword_ptr_abs(place_.first + place_.bytes - 8);
    a_.mov(kLoaded.r32(), static_cast<uint32_t>(to));
    a_.mov(cell, kLoaded);
    a_.mov(kLoaded, cell);
    if (Roll(2) == 0) {
      a_.mov(Sized(Value(), bytes), x86::ptr(kLoaded, kTurnsLeft, 0, 0, bytes));
    } else {
      a_.mov(x86::ptr(kLoaded, 0, bytes), Sized(Value(), bytes));
    }
  }

  // Goes anywhere in a page's worth.
  void Table(uint32_t bytes) {
    const x86::Gp index = Value();
    a_.and_(index.r32(), static_cast<int32_t>(kPage - 1));
    a_.mov(Sized(kLoaded, bytes),
           x86::ptr(index, static_cast<int32_t>(place_.first + Roll(kPage / 2)), bytes));
  }

  void HighByte() {
    const x86::Gp high = Roll(2) == 0 ? x86::ah : x86::dh;
    Roll(2) == 0 ? a_.mov(high, Place(1)) : a_.add(Place(1), high);
  }

  void Stack() {
    const x86::Gp& value = Value();
    a_.push(value);
    if (Roll(2) == 0) a_.add(x86::qword_ptr(x86::rsp), value);
    a_.pop(Value());
  }

  void LeaveInTheMiddle(uint32_t bytes) {
    a_.cmp(Place(bytes), Sized(Value(), bytes));
    Roll(2) == 0 ? a_.jz(out_) : a_.jo(out_);
  }

  // The immediate of an instruction that follows.
  void Rewrite() {
    if (Roll(4) != 0) return;
    constexpr uint8_t kAddEdxByte[] = {0x83, 0xc2, 0x01};
    const asmjit::Label there = a_.newLabel();
    a_.lea(kLoaded, x86::ptr(there));
    a_.mov(x86::byte_ptr(kLoaded, 2), kTurnsLeft.r8());
    a_.bind(there);
    a_.embed(kAddEdxByte, sizeof(kAddEdxByte));
  }

  // A fault of the host's, in some turn if at all.
  void Fault() {
    switch (Roll(8)) {
      case 0:  // #GP, as soon as the address is misaligned
        a_.movaps(x86::xmm1, Place(16));
        break;
      case 1:  // #DE, in the last turns but one
        a_.lea(kLoaded, x86::ptr(kTurnsLeft, -static_cast<int32_t>(Roll(4))));
        a_.xor_(x86::edx, x86::edx);
        a_.div(kLoaded);
        break;
      default: a_.adc(Value(), Value());
    }
  }

  x86::Assembler& a_;
  std::mt19937_64& random_;
  const SweepPlace place_;
  size_t values_ = 1;
  std::vector<Walker> walkers_;
  asmjit::Label out_;
};

}  // namespace

void EmitSweep(x86::Assembler& a, std::mt19937_64& random, const SweepPlace& place) {
  Sweep(a, random, place).Emit();
}

}  // namespace hv::soft::differential

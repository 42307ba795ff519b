// Plays litmus tests: a few instructions for each vCPU of a machine, run against each other over
// and over, and how often which outcome was seen.
#pragma once

#include <asmjit/x86.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <vector>

#include "hv_kernel/soft/guest_assembly.h"
#include "hv_kernel/soft/smp_machine.h"

namespace hv::soft {

class LitmusMachine : public SmpMachine {
 public:
  using Assembler = asmjit::x86::Assembler;
  using Emit = EmitGuestCode;
  using Outcome = std::vector<uint64_t>;
  using Outcomes = std::map<Outcome, uint64_t>;

  static constexpr size_t kMostVcpus = 4;
  // What an instance has left: what each vCPU had in EAX and EBX, zero before, and the variables.
  struct Seen {
    struct Registers {
      uint64_t eax, ebx;
    } vcpu[kMostVcpus];
    uint32_t x, y;
  };

  // The two variables of an instance, zero before it, each in a cache line of its own. A body may
  // change EAX, EBX and EDX.
  static asmjit::x86::Mem X() { return Variable(kX); }
  static asmjit::x86::Mem Y() { return Variable(kY); }

  explicit LitmusMachine(size_t vcpus) : SmpMachine(vcpus) {}

  // Body i on vCPU i, `instances` times or as many as the host has time for; `read` says what of
  // each is of interest. The vCPUs meet before every `together`th (a power of two): often, so that
  // they stay beside each other; not before each, as between two meetings is where they race, and
  // as with more of them than cores a meeting takes changes of threads.
  Outcomes Play(const std::vector<Emit>& bodies, uint64_t instances, uint32_t together,
                const std::function<Outcome(const Seen&)>& read) {
    std::vector<uint64_t> rips;
    for (size_t vcpu = 0; vcpu < bodies.size(); ++vcpu) {
      rips.push_back(PlaceBody(vcpu, bodies[vcpu], bodies.size(), together));
    }
    Outcomes outcomes;
    std::vector<hv_vcpu_state> ends;
    const auto end = std::chrono::steady_clock::now() + kLongest;
    for (uint64_t done = 0; done < instances && std::chrono::steady_clock::now() < end;
         done += kInstances) {
      std::memset(ram().data() + kX, 0, 2 * kLine * kInstances);
      Poke<uint32_t>(kArrived, 0);
      EXPECT_TRUE(RunAll(rips, ends));
      for (uint64_t i = 0; i < kInstances; ++i) ++outcomes[read(Look(i))];
    }
    for (const auto& [outcome, count] : outcomes) {
      for (const uint64_t value : outcome) std::printf("  %lu", static_cast<unsigned long>(value));
      std::printf(": %lu times\n", static_cast<unsigned long>(count));
    }
    return outcomes;
  }

  // Returns where.
  uint64_t Place(size_t vcpu, const Emit& emit) {
    return Assemble(*this, kCode + vcpu * kCodeBytes, emit);
  }

 private:
  static constexpr uint64_t kCode = 0x100000, kCodeBytes = 0x10000;
  static constexpr uint64_t kArrived = 0x300000;
  static constexpr std::chrono::seconds kLongest{4};
  static constexpr uint64_t kLine = 64, kInstances = 8192;
  static constexpr uint64_t kX = 0x400000, kY = kX + kLine * kInstances;
  static constexpr uint64_t kResults = 0x800000, kResultBytes = kMostVcpus * 16;

  static asmjit::x86::Mem Variable(uint64_t first) {
    return asmjit::x86::dword_ptr(asmjit::x86::rsi, static_cast<int32_t>(first));
  }

  // In R8D: how many will have arrived when all have. Then each waits a little, every time another
  // while, so that now this one is ahead and now that one.
  static void EmitMeeting(Assembler& a, size_t vcpu, size_t vcpus) {
    namespace x86 = asmjit::x86;
    const asmjit::Label wait = a.newLabel(), there = a.newLabel(), idle = a.newLabel();
    a.add(x86::r8d, static_cast<uint32_t>(vcpus));
    a.lock().inc(x86::dword_ptr_abs(kArrived));
    a.bind(wait);
    a.cmp(x86::dword_ptr_abs(kArrived), x86::r8d);
    a.jae(there);
    a.pause();
    a.jmp(wait);
    a.bind(there);
    a.mov(x86::r9d, x86::ecx);
    a.shr(x86::r9d, static_cast<uint32_t>(3 * vcpu));
    a.and_(x86::r9d, 63);
    a.inc(x86::r9d);
    a.bind(idle);
    a.dec(x86::r9d);
    a.jnz(idle);
  }

  uint64_t PlaceBody(size_t vcpu, const Emit& body, size_t vcpus, uint32_t together) {
    namespace x86 = asmjit::x86;
    return Place(vcpu, [&](Assembler& a) {
      const asmjit::Label next = a.newLabel(), go = a.newLabel();
      a.xor_(x86::r8d, x86::r8d);
      a.xor_(x86::esi, x86::esi);
      a.mov(x86::edi, static_cast<uint32_t>(kResults + vcpu * 16));
      a.mov(x86::ecx, static_cast<uint32_t>(kInstances));
      a.bind(next);
      a.test(x86::ecx, together - 1);
      a.jnz(go);
      EmitMeeting(a, vcpu, vcpus);
      a.bind(go);
      a.xor_(x86::eax, x86::eax);
      a.xor_(x86::ebx, x86::ebx);
      body(a);
      a.mov(x86::qword_ptr(x86::rdi), x86::rax);
      a.mov(x86::qword_ptr(x86::rdi, 8), x86::rbx);
      a.add(x86::rsi, static_cast<int32_t>(kLine));
      a.add(x86::rdi, static_cast<int32_t>(kResultBytes));
      a.dec(x86::ecx);
      a.jnz(next);
      a.hlt();
    });
  }

  Seen Look(uint64_t instance) const {
    Seen seen{};
    for (size_t vcpu = 0; vcpu < kMostVcpus; ++vcpu) {
      seen.vcpu[vcpu] = Peek<Seen::Registers>(kResults + instance * kResultBytes + vcpu * 16);
    }
    seen.x = Peek<uint32_t>(kX + instance * kLine);
    seen.y = Peek<uint32_t>(kY + instance * kLine);
    return seen;
  }
};

}  // namespace hv::soft

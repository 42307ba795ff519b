#include "hv_kernel/kvm/register_state.h"

#include <cstring>
#include <memory>

#include "gtest/gtest.h"

namespace hv::kvm {
namespace {

// Different in every field that the conversions carry.
std::unique_ptr<hv_vcpu_state> Distinct() {
  auto state = std::make_unique<hv_vcpu_state>();
  uint64_t next = 0x1000;
  for (uint64_t& gpr : state->gpr) gpr = next++;
  state->rip = next++;
  state->rflags = next++;
  const auto fill = [&](hv_segment_state& segment) {
    segment.base = next++;
    segment.limit = static_cast<uint32_t>(next++);
    segment.selector = static_cast<uint16_t>(next++);
    // Every field of the access rights but the unusable bit.
    segment.attributes = static_cast<uint32_t>(next++ * 0x35 & 0xf0ff);
  };
  for (auto& segment : state->segment) fill(segment);
  fill(state->ldtr);
  fill(state->tr);
  state->ldtr.attributes |= HV_SEGMENT_UNUSABLE;
  state->gdtr = {.base = next++, .limit = 0x77, .reserved = {}};
  state->idtr = {.base = next++, .limit = 0xfff, .reserved = {}};
  state->cr0 = next++;
  state->cr2 = next++;
  state->cr3 = next++;
  state->cr4 = next++;
  state->cr8 = 7;
  state->efer = next++;
  for (int i : {0, 1, 2, 3, 6, 7}) state->dr[i] = next++;
  state->interrupt_shadow = 1;
  state->nmi_blocked = 1;
  return state;
}

TEST(RegisterStateTest, WhatGoesToKvmComesBackTheSame) {
  const auto state = Distinct();
  auto back = std::make_unique<hv_vcpu_state>();
  FromRegs(ToRegs(*state), *back);
  FromSregs(ToSregs(*state, true), *back);
  FromDebugRegs(ToDebugRegs(*state), *back);
  FromEvents(ToEvents(*state), *back);
  EXPECT_EQ(std::memcmp(state.get(), back.get(), sizeof(*state)), 0);
}

TEST(RegisterStateTest, ShadowsOfStiAndMovSsAreNotMixedUp) {
  hv_vcpu_state state{};
  state.interrupt_shadow = 1;
  EXPECT_EQ(ToEvents(state).interrupt.shadow, KVM_X86_SHADOW_INT_STI);
  state.interrupt_shadow = 2;
  EXPECT_EQ(ToEvents(state).interrupt.shadow, KVM_X86_SHADOW_INT_MOV_SS);
}

TEST(RegisterStateTest, AccessRightsAreTakenApartByTheirFields) {
  hv_vcpu_state state{};
  state.segment[HV_CS].attributes = 0xa0fb;  // 64-bit code of ring 3
  const kvm_segment cs = ToSregs(state, false).cs;
  EXPECT_EQ(cs.type, 0xb);
  EXPECT_EQ(cs.s, 1);
  EXPECT_EQ(cs.dpl, 3);
  EXPECT_EQ(cs.present, 1);
  EXPECT_EQ(cs.l, 1);
  EXPECT_EQ(cs.db, 0);
  EXPECT_EQ(cs.g, 1);
  EXPECT_EQ(cs.unusable, 0);
}

TEST(RegisterStateTest, OnlyComponentsThatXcr0AllowsGoToKvm) {
  constexpr size_t kXstateAt = 512;
  hv_vcpu_state state{};
  std::memset(state.xsave + kXstateAt, 0xff, 64);
  state.xcr0 = 1;
  XsaveArea area = ToXsave(state);
  uint64_t header[8];
  std::memcpy(header, reinterpret_cast<uint8_t*>(area.region) + kXstateAt, sizeof(header));
  EXPECT_EQ(header[0], 3u);
  for (int i = 1; i < 8; ++i) EXPECT_EQ(header[i], 0u);
  state.xcr0 = 7;
  area = ToXsave(state);
  std::memcpy(header, reinterpret_cast<uint8_t*>(area.region) + kXstateAt, sizeof(header));
  EXPECT_EQ(header[0], 7u);
}

}  // namespace
}  // namespace hv::kvm

// The table of who may say what to whom, against an independent statement of it: the comments of
// abi/message.h, kind by kind.
#include "service/admission.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "gtest/gtest.h"

namespace hv::service {
namespace {

using Pairs = std::vector<std::pair<uint32_t, uint32_t>>;

constexpr uint32_t kServices[] = {HV_ROLE_VCPU,  HV_ROLE_MMU,    HV_ROLE_IOAPIC,
                                  HV_ROLE_TIMER, HV_ROLE_SERIAL, HV_ROLE_POWER};

Pairs FromKernelToServices() {
  Pairs pairs;
  for (uint32_t service : kServices) pairs.emplace_back(HV_ROLE_KERNEL, service);
  return pairs;
}
Pairs FromServicesToKernel() {
  Pairs pairs;
  for (uint32_t service : kServices) pairs.emplace_back(service, HV_ROLE_KERNEL);
  return pairs;
}

std::map<uint16_t, Pairs> Table() {
  const Pairs kernel_to_vcpu{{HV_ROLE_KERNEL, HV_ROLE_VCPU}};
  const Pairs sources_to_ioapic{{HV_ROLE_TIMER, HV_ROLE_IOAPIC},
                                {HV_ROLE_SERIAL, HV_ROLE_IOAPIC},
                                {HV_ROLE_POWER, HV_ROLE_IOAPIC}};
  return {
      {HV_KIND_READ, FromKernelToServices()},
      {HV_KIND_WRITE, FromKernelToServices()},
      {HV_KIND_WRITE_POSTED, FromKernelToServices()},
      {HV_KIND_READ_DONE, FromServicesToKernel()},
      {HV_KIND_WRITE_DONE, FromServicesToKernel()},
      {HV_KIND_MSR_READ, kernel_to_vcpu},
      {HV_KIND_MSR_WRITE, kernel_to_vcpu},
      {HV_KIND_CR8_WRITE, kernel_to_vcpu},
      {HV_KIND_CR8_READ, kernel_to_vcpu},
      {HV_KIND_INJECTED, kernel_to_vcpu},
      {HV_KIND_MSR_DONE, {{HV_ROLE_VCPU, HV_ROLE_KERNEL}}},
      {HV_KIND_LINE, sources_to_ioapic},
      {HV_KIND_GSI_ROUTE, sources_to_ioapic},
      {HV_KIND_INTERRUPT,
       {{HV_ROLE_IOAPIC, HV_ROLE_VCPU},
        {HV_ROLE_TIMER, HV_ROLE_VCPU},
        {HV_ROLE_SERIAL, HV_ROLE_VCPU},
        {HV_ROLE_POWER, HV_ROLE_VCPU}}},
      {HV_KIND_STORE, {{HV_ROLE_VCPU, HV_ROLE_MMU}}},
      {HV_KIND_STORE_DONE, {{HV_ROLE_MMU, HV_ROLE_VCPU}}},
      {HV_KIND_EOI, {{HV_ROLE_VCPU, HV_ROLE_IOAPIC}}},
      {HV_KIND_INTA, {{HV_ROLE_KERNEL, HV_ROLE_IOAPIC}}},
      {HV_KIND_INTR, {{HV_ROLE_IOAPIC, HV_ROLE_VCPU}}},
      {HV_KIND_DEADLINE_SET, {{HV_ROLE_VCPU, HV_ROLE_TIMER}}},
      {HV_KIND_DEADLINE_EXPIRED, {{HV_ROLE_TIMER, HV_ROLE_VCPU}}},
      {HV_KIND_CONSOLE_OUTPUT, {{HV_ROLE_SERIAL, HV_ROLE_HOST}}},
      {HV_KIND_CONSOLE_INPUT, {{HV_ROLE_HOST, HV_ROLE_SERIAL}}},
      {HV_KIND_CONSOLE_CREDIT, {{HV_ROLE_HOST, HV_ROLE_SERIAL}, {HV_ROLE_SERIAL, HV_ROLE_HOST}}},
      {HV_KIND_POWER_BUTTON, {{HV_ROLE_HOST, HV_ROLE_POWER}}},
  };
}

TEST(AdmissionTest, EveryPairOfRolesAndEveryNumberOfKindIsAsTheWireSays) {
  const auto table = Table();
  // Beyond the known roles and kinds too: what a hostile peer could write there.
  for (uint32_t from = 0; from <= HV_ROLE_COUNT + 1; ++from) {
    for (uint32_t to = 0; to <= HV_ROLE_COUNT + 1; ++to) {
      for (uint32_t kind = 0; kind <= 0x200; ++kind) {
        const auto row = table.find(static_cast<uint16_t>(kind));
        const bool expected =
            row != table.end() &&
            std::count(row->second.begin(), row->second.end(), std::pair(from, to)) != 0;
        EXPECT_EQ(MayReceive(from, to, static_cast<uint16_t>(kind)), expected)
            << "kind " << kind << " from role " << from << " to role " << to;
      }
    }
  }
}

TEST(AdmissionTest, NobodyMaySayAnythingToItself) {
  for (uint32_t role = 0; role < HV_ROLE_COUNT; ++role) {
    for (uint32_t kind = 0; kind <= UINT16_MAX; ++kind) {
      EXPECT_FALSE(MayReceive(role, role, static_cast<uint16_t>(kind)));
    }
  }
}

}  // namespace
}  // namespace hv::service

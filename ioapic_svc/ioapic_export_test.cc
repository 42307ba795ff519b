#include <functional>

#include "gtest/gtest.h"
#include "ioapic_svc/test_service.h"
#include "proto/hv/v1/ioapic_state.pb.h"
#include "service/test_export.h"

namespace hv::ioapic {
namespace {

using Proto = hv::v1::IoapicServiceState;

// Something in every part of the state.
void MakeBusy(TestService& service) {
  service.InitializePics();
  service.Out(0x4d0, 0x20);
  service.Out(0x20, 0x68);
  service.Out(0xa0, 0x11);
  service.WriteIoapic(0, 0x07000000);
  service.SetEntry(9, 0x0200000000008041);
  service.Line(9, true);
  service.Line(5, true, TestService::kSerial);
  service.Send(TestService::kSerial, HV_KIND_GSI_ROUTE,
               hv_gsi_route{.address = 0xfee02000, .data = 0x61, .gsi = 30, .enabled = 1});
  service.Line(30, true, TestService::kSerial);
}

TEST(IoapicExportTest, WhatComesBackIsTheSameState) {
  TestService service;
  MakeBusy(service);
  service::ExpectSurvivesExport(service.core(), service.state);
}

TEST(IoapicExportTest, BytesThatAreNoMessageAreRefused) {
  TestService service;
  EXPECT_FALSE(service.core().Import(&service.state, "\xff\xff\xff").ok());
  EXPECT_FALSE(service.core().Import(&service.state, "").ok());
}

TEST(IoapicExportTest, EveryValueOutOfRangeIsRefusedAndChangesNothing) {
  TestService service;
  MakeBusy(service);
  const std::function<void(Proto&)> forgeries[] = {
      [](Proto& p) { p.add_entries(0); },
      [](Proto& p) { p.set_entries(3, 1ull << 20); },
      [](Proto& p) { p.set_entries(3, 1ull << 14); },
      [](Proto& p) { p.set_lines(1u << 24); },
      [](Proto& p) { p.set_select(0x100); },
      [](Proto& p) { p.set_id(1); },
      [](Proto& p) { p.mutable_master()->set_irr(0x100); },
      [](Proto& p) { p.mutable_slave()->set_isr(0x100); },
      [](Proto& p) { p.mutable_slave()->set_imr(0x100); },
      [](Proto& p) { p.mutable_slave()->set_vector_base(0x31); },
      [](Proto& p) { p.mutable_master()->set_priority(8); },
      [](Proto& p) { p.mutable_master()->set_init_step(4); },
      [](Proto& p) { p.set_intr_vector(0x100); },
      [](Proto& p) { p.mutable_sources()->RemoveLast(); },
      [](Proto& p) { p.mutable_routes(0)->set_gsi(HV_IOAPIC_INPUTS - 1); },
      [](Proto& p) { p.mutable_routes(0)->set_gsi(HV_GSI_COUNT); },
      [](Proto& p) { p.mutable_routes(0)->set_owner(0); },
      [](Proto& p) { *p.add_routes() = p.routes(0); },
  };
  service::ExpectForgeriesRefused<Proto>(service.core(), service.state, forgeries);
}

}  // namespace
}  // namespace hv::ioapic

#include <gtest/gtest.h>

#include "cli/show.h"

namespace hv::cli {
namespace {

TEST(ShowFaultTest, FaultsAreATable) {
  hv::v1::ListFaultsResponse faults;
  auto& nth = *faults.add_faults();
  nth.set_id(1);
  nth.set_service("timer_svc");
  nth.set_point(hv::v1::FAULT_POINT_BEFORE_COMMIT);
  nth.set_action(hv::v1::FAULT_ACTION_EXIT);
  nth.set_argument(3);
  nth.set_every(5);
  nth.set_times(1);
  nth.set_passes(4);
  auto& chance = *faults.add_faults();
  chance.set_id(12);
  chance.set_service("serial_svc");
  chance.set_point(hv::v1::FAULT_POINT_SEND);
  chance.set_action(hv::v1::FAULT_ACTION_FORGE_BIT);
  chance.set_rate(0.25);
  chance.set_seed(9);
  chance.set_times(8);
  chance.set_fired(2);
  chance.set_passes(10);
  chance.set_kind("READ");
  EXPECT_EQ(ShowFaults(faults),
            "ID  SERVICE     AT             DO         VALUE  WHEN                 KIND  PASSES  "
            "FIRED\n"
            " 1  timer_svc   before-commit  exit           3  pass 5               any        4  "
            "    0\n"
            "12  serial_svc  send           forge-bit      0  chance 0.25, seed 9  READ      10  "
            "  2/8\n");
}

TEST(ShowFaultTest, AnInjectionIsALine) {
  hv::v1::Injection injection;
  injection.set_at_us(1'234'567);
  injection.set_service("timer_svc");
  injection.set_point(hv::v1::FAULT_POINT_MID_PUBLISH);
  injection.set_action(hv::v1::FAULT_ACTION_KILL);
  injection.set_nth(2);
  EXPECT_EQ(ShowInjection(injection),
            "     1.235 s  timer_svc   mid-publish 2       kill  (not reached)\n");
  injection.set_point(hv::v1::FAULT_POINT_NOW);
  injection.set_fired(true);
  EXPECT_EQ(ShowInjection(injection), "     1.235 s  timer_svc   now                 kill\n");
}

TEST(ShowFaultTest, ACampaignEndsWithItsSum) {
  hv::v1::ChaosSummary summary;
  summary.set_injections(10);
  summary.set_fired(9);
  (*summary.mutable_replaced())["timer_svc"] = 7;
  (*summary.mutable_replaced())["mmu_svc"] = 2;
  summary.set_cut_short("the machine ended");
  EXPECT_EQ(ShowChaosSummary(summary),
            "10 injections, 9 fired; cut short: the machine ended\n"
            "SERVICE    REPLACED\n"
            "mmu_svc           2\n"
            "timer_svc         7\n");
}

}  // namespace
}  // namespace hv::cli

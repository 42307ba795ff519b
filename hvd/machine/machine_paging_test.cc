// Who pages guest RAM: what the configuration asks for, what the host permits, and who is handed
// what.
#include <thread>

#include "abi/pager_page.h"
#include "hvd/testing/machine_fixture.h"
#include "hvd/testing/watched_ram.h"

namespace hv::hvd {
namespace {

class MachinePagingTest : public MachineFixture {
 protected:
  void SetUp() override {
    config_.set_paging("");
    constexpr uint64_t kBytes = 1 << 20;
    const auto ram = ring::Mapping::Map(ring::CreateSegment("try", kBytes)->get(), kBytes, true);
    permitted_ = WatchRam(ram->bytes()).status();
  }
  hv::v1::MemoryPaging PagingOf(Machine& machine) {
    hv::v1::MemoryPaging paging;
    const auto status = machine.WithMemory([&](MachineMemory& memory) {
      auto shown = memory.Show();
      if (!shown.ok()) return shown.status();
      paging = shown->paging();
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return paging;
  }
  const hv::v1::Manifest& ManifestOf(const std::string& name) {
    return launcher_.Await(name)->AwaitAttached()->manifest();
  }

  absl::Status permitted_;
};

TEST_F(MachinePagingTest, WhereTheHostDoesNotPermitItTheHostPagesAndSaysWhy) {
  const auto machine = Create();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(machine->Show().config().paging(), "auto");
  EXPECT_TRUE(ManifestOf("hv_kernel").kernel().demand_paging());
  EXPECT_FALSE(ManifestOf("mmu_svc").has_userfault());
  EXPECT_FALSE(PagingOf(*machine).on_demand());
  EXPECT_EQ(PagingOf(*machine).notice(), "not in a test");
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_PAGED_BY_HOST).message(), "not in a test");
}

TEST_F(MachinePagingTest, WhoeverInsistsIsToldWhyNotAndNothingIsLeft) {
  config_.set_paging("demand");
  const int before = OpenDescriptors();
  const auto status = registry_.Create(config_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("paging 'demand': not in a test"), absl::string_view::npos)
      << status;
  EXPECT_EQ(launcher_.alive(), 0);
  EXPECT_LE(OpenDescriptors() - before, 2 * launcher_.launched()) << "those of the fakes' records";
}

TEST_F(MachinePagingTest, WhoeverWantsTheHostAsksNobody) {
  config_.set_paging("host");
  launcher_.watch_memory = WatchRam;
  const auto machine = Create();
  EXPECT_FALSE(ManifestOf("hv_kernel").kernel().demand_paging());
  EXPECT_FALSE(ManifestOf("mmu_svc").has_userfault());
  EXPECT_EQ(PagingOf(*machine).notice(), "");
}

TEST_F(MachinePagingTest, EveryMmuSvcAndNobodyElseHasTheUserfaultfd) {
  if (!permitted_.ok()) GTEST_SKIP() << "SKIPPED: " << permitted_;
  launcher_.watch_memory = WatchRam;
  const auto machine = CreateAndStart();
  EXPECT_TRUE(PagingOf(*machine).on_demand());
  const auto ram = launcher_.Await("hv_kernel")->AwaitAttached()->Find(HV_SEGMENT_GUEST_RAM);
  int pid = 0;
  for (int process = 0; process < 2; ++process) {
    const auto part = launcher_.Await("mmu_svc", pid);
    pid = part->pid();
    const auto& manifest = part->AwaitAttached()->manifest();
    ASSERT_TRUE(manifest.has_userfault());
    EXPECT_EQ(manifest.userfault().address(), reinterpret_cast<uint64_t>(ram.data()));
    EXPECT_EQ(manifest.userfault().bytes(), config_.memory_bytes());
    part->Die(kSegv);
    AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  }
  for (const char* name : {"vcpu_svc", "timer_svc", "hv_kernel"}) {
    EXPECT_FALSE(ManifestOf(name).has_userfault()) << name;
  }
}

TEST_F(MachinePagingTest, CountersAreThoseOfThePagersPage) {
  if (!permitted_.ok()) GTEST_SKIP() << "SKIPPED: " << permitted_;
  launcher_.watch_memory = WatchRam;
  const auto machine = CreateAndStart();
  auto* page =
      launcher_.Await("mmu_svc")->AwaitAttached()->FindAs<hv_pager_page>(HV_SEGMENT_PAGER_PAGE);
  ASSERT_NE(page, nullptr);
  page->faults = 10;
  page->pages = 160;
  page->read_ahead_pages = 150;
  page->wakes = 2;
  page->refused = 3;
  page->failed = 4;
  page->writes = 5;
  page->stray_writes = 6;
  const auto paging = PagingOf(*machine);
  EXPECT_EQ(paging.faults(), 10u);
  EXPECT_EQ(paging.pages(), 160u);
  EXPECT_EQ(paging.read_ahead_pages(), 150u);
  EXPECT_EQ(paging.wakes(), 2u);
  EXPECT_EQ(paging.refused(), 3u);
  EXPECT_EQ(paging.failed(), 4u);
  EXPECT_EQ(paging.writes(), 5u);
  EXPECT_EQ(paging.stray_writes(), 6u);
}

// hv_kernel need not know: nothing of its map has changed.
TEST_F(MachinePagingTest, AWatchIsRegisteredAndAskedOfMmuSvcAlone) {
  if (!permitted_.ok()) GTEST_SKIP() << "SKIPPED: " << permitted_;
  launcher_.watch_memory = WatchRam;
  const auto machine = CreateAndStart();
  launcher_.mmu.dirty.emplace_back().set_bitmap("\x03");
  absl::StatusOr<hv::v1::TakeDirtyLogResponse> taken;
  const auto status = machine->WithMemory([&](MachineMemory& memory) {
    if (const auto on = memory.SetWriteWatch(0, 0, true); !on.ok()) return on.status();
    launcher_.mmu.die_in = {"rewatch pages"};  // is not repeated
    taken = memory.TakeWrittenPages(0);
    return taken.status();
  });
  if (absl::IsFailedPrecondition(status)) GTEST_SKIP() << "SKIPPED: " << status;
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(taken->dirty_pages(), 2u);
  EXPECT_EQ(launcher_.mmu.cleared.size(), 1u);
  EXPECT_EQ(launcher_.mmu.calls(),
            (std::vector<std::string>{"set write watch", "read written pages", "rewatch pages"}));
  EXPECT_EQ(launcher_.Find("hv_kernel")->calls(), std::vector<std::string>{"start"});
}

// As where every process of mmu_svc dies at once: what the guest touches then, the host gives.
TEST_F(MachinePagingTest, AnMmuSvcThatIsGivenUpLeavesTheGuestItsMemory) {
  if (!permitted_.ok()) GTEST_SKIP() << "SKIPPED: " << permitted_;
  launcher_.watch_memory = WatchRam;
  const auto machine = CreateAndStart();
  launcher_.mmu.memory.add_regions()->set_write_watch(true);  // as mmu_svc goes on to think
  const auto kernel = launcher_.Await("hv_kernel");
  const auto ram = kernel->AwaitAttached()->Find(HV_SEGMENT_GUEST_RAM);
  std::thread vcpu([&] { ram[0x5000] = std::byte{1}; });
  {
    const auto first = launcher_.Await("mmu_svc");
    launcher_.die_attached.insert("mmu_svc");
    first->Die(kSegv);
  }
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_DEGRADED).service(), "mmu_svc");
  vcpu.join();
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  launcher_.die_attached.clear();
  ASSERT_EQ(machine->ReplaceService("mmu_svc"), absl::OkStatus());
  EXPECT_FALSE(PagingOf(*machine).on_demand());
  EXPECT_NE(PagingOf(*machine).notice().find("the write watch has ended"), std::string::npos);
  const auto status = machine->WithMemory([](MachineMemory& memory) {
    const auto shown = memory.Show();
    EXPECT_FALSE(shown.ok() && shown->regions(0).write_watch());
    return memory.SetWriteWatch(0, 0, true).status();
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

}  // namespace
}  // namespace hv::hvd

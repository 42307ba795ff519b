#include <gtest/gtest.h>

#include "cli/show.h"

namespace hv::cli {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ShowMemoryTest, TheMapIsTwoTablesAndItsCounters) {
  hv::v1::GuestMemory memory;
  auto& ram = *memory.add_regions();
  ram.set_bytes(64 << 20);
  ram.set_kind(hv::v1::MEMORY_KIND_RAM);
  ram.set_dirty_logging(true);
  ram.set_write_watch(true);
  ram.set_write_protected(true);
  auto& rom = *memory.add_regions();
  rom.set_address(0xfffc0000);
  rom.set_bytes(0x40000);
  rom.set_kind(hv::v1::MEMORY_KIND_ROM);
  auto& route = *memory.add_routes();
  route.set_space(hv::v1::ROUTE_SPACE_PORT);
  route.set_first(0x3f8);
  route.set_last(0x3f8);
  route.set_service("serial_svc");
  route.set_posted_writes(true);
  auto late = route;
  late.set_late_writes(true);
  *memory.add_routes() = late;
  auto counted = memory.routes(0);
  counted.set_posted_writes(false);
  counted.set_counted_writes(true);
  *memory.add_routes() = counted;
  memory.set_allocated_bytes(12 << 10);
  memory.set_hole_reads(11);
  memory.set_hole_writes(12);
  memory.set_rom_writes(13);
  memory.set_protected_writes(14);
  memory.set_generation(6);
  EXPECT_EQ(ShowMemory(memory),
            "MEMORY                      SIZE  KIND  NOTE\n"
            "0x0 - 0x3ffffff           64 MiB  RAM   dirty log, write watch, protected\n"
            "0xfffc0000 - 0xffffffff  256 KiB  ROM\n"
            "\n"
            "ANSWERED  SPACE  BY          NOTE\n"
            "0x3f8     port   serial_svc  posted writes\n"
            "0x3f8     port   serial_svc  posted writes, late\n"
            "0x3f8     port   serial_svc  counted writes\n"
            "\n"
            "touched           12 KiB of 64.2 MiB\n"
            "paged by          the host\n"
            "hole reads        11\n"
            "hole writes       12\n"
            "ROM writes        13\n"
            "protected writes  14\n"
            "generation        6\n");
}

TEST(ShowMemoryTest, WhoPagesAndWhy) {
  hv::v1::GuestMemory memory;
  memory.mutable_paging()->set_notice("userfaultfd: Operation not permitted");
  EXPECT_TRUE(Contains(ShowMemory(memory),
                       "paged by          the host: userfaultfd: Operation not permitted\n"));
  auto& paging = *memory.mutable_paging();
  paging.Clear();
  paging.set_on_demand(true);
  paging.set_faults(10);
  paging.set_pages(160);
  paging.set_read_ahead_pages(150);
  paging.set_wakes(2);
  paging.set_refused(3);
  paging.set_failed(4);
  paging.set_writes(5);
  paging.set_stray_writes(6);
  const std::string shown = ShowMemory(memory);
  EXPECT_TRUE(Contains(shown, "paged by          mmu_svc, 160 pages, 150 of them read ahead\n"));
  EXPECT_TRUE(Contains(shown,
                       "page faults       10, 4 tried again, 3 events refused, 2 wakes on "
                       "attach\n"));
  EXPECT_TRUE(Contains(shown, "watched writes    5, 6 stray\n"));
}

TEST(ShowMemoryTest, DirtyPagesAreRuns) {
  hv::v1::TakeDirtyLogResponse taken;
  auto& range = *taken.add_ranges();
  range.set_address(0x100000);
  range.set_bitmap(std::string("\x81\x01\x00\x80", 4));
  taken.set_dirty_pages(4);
  EXPECT_EQ(ShowDirtyPages(taken),
            "WRITTEN              PAGES\n"
            "0x100000 - 0x100fff      1\n"
            "0x107000 - 0x108fff      2\n"
            "0x11f000 - 0x11ffff      1\n"
            "4 pages, 16 KiB\n");
}

TEST(ShowMemoryTest, ATranslationShowsItsWalkAndWhatThePageAllows) {
  hv::v1::Translation walk;
  walk.set_linear(0xffffffff81000123);
  walk.set_mode(hv::v1::PAGING_MODE_4_LEVEL);
  walk.set_outcome(hv::v1::TRANSLATION_OUTCOME_MAPPED);
  auto& entry = *walk.add_walk();
  entry.set_level(4);
  entry.set_address(0x2ff8);
  entry.set_value(0x3067);
  walk.set_physical(0x1000123);
  walk.set_page_bytes(2 << 20);
  walk.set_executable(true);
  walk.set_global(true);
  walk.set_kind(hv::v1::MEMORY_KIND_RAM);
  EXPECT_EQ(ShowTranslation(walk),
            "linear    0xffffffff81000123\n"
            "paging    4-level\n"
            "PML4E     0000000000003067 at 0x2ff8\n"
            "physical  0x1000123, RAM\n"
            "page      2 MiB\n"
            "rights    supervisor, read-only, execute, global\n");
}

TEST(ShowMemoryTest, AFailedTranslationSaysWhere) {
  hv::v1::Translation walk;
  walk.set_outcome(hv::v1::TRANSLATION_OUTCOME_NOT_PRESENT);
  walk.set_failed_level(2);
  EXPECT_TRUE(Contains(ShowTranslation(walk), "the PDE is not present"));
  walk.set_outcome(hv::v1::TRANSLATION_OUTCOME_NO_TABLE);
  walk.set_failed_level(3);
  EXPECT_TRUE(Contains(ShowTranslation(walk), "no RAM where the PDPTE should be"));
  walk.set_outcome(hv::v1::TRANSLATION_OUTCOME_RESERVED_BITS);
  walk.set_failed_level(1);
  EXPECT_TRUE(Contains(ShowTranslation(walk), "the PTE has reserved bits set"));
  walk.set_outcome(hv::v1::TRANSLATION_OUTCOME_NOT_CANONICAL);
  EXPECT_TRUE(Contains(ShowTranslation(walk), "not canonical"));
}

TEST(ShowMemoryTest, MemoryBelongsToTheMachineWhenItIsThere) {
  hv::v1::GetMachineResponse response;
  EXPECT_FALSE(Contains(ShowMachine(response, 0), "hole reads"));
  response.mutable_memory()->set_hole_reads(1);
  EXPECT_TRUE(Contains(ShowMachine(response, 0), "hole reads        1\n"));
}

}  // namespace
}  // namespace hv::cli

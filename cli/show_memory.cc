// Guest memory as text: the map, pages written, walks of page tables.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/address.h"
#include "cli/memory_size.h"
#include "cli/show.h"
#include "cli/table.h"

namespace hv::cli {
namespace {

constexpr uint64_t kPageBytes = 4096;

std::string ShowSpan(uint64_t first, uint64_t last) {
  return first == last ? ShowAddress(first)
                       : absl::StrCat(ShowAddress(first), " - ", ShowAddress(last));
}

std::string KindName(hv::v1::MemoryKind kind) {
  switch (kind) {
    case hv::v1::MEMORY_KIND_RAM: return "RAM";
    case hv::v1::MEMORY_KIND_ROM: return "ROM";
    default: return "no memory";
  }
}

const char* ModeName(hv::v1::PagingMode mode) {
  switch (mode) {
    case hv::v1::PAGING_MODE_NONE: return "off";
    case hv::v1::PAGING_MODE_32_BIT: return "32-bit";
    case hv::v1::PAGING_MODE_PAE: return "PAE";
    case hv::v1::PAGING_MODE_4_LEVEL: return "4-level";
    default: return "?";
  }
}

const char* LevelName(uint32_t level) {
  constexpr const char* kNames[] = {"?", "PTE", "PDE", "PDPTE", "PML4E"};
  return kNames[level <= 4 ? level : 0];
}

std::string Failure(const hv::v1::Translation& walk) {
  const char* entry = LevelName(walk.failed_level());
  switch (walk.outcome()) {
    case hv::v1::TRANSLATION_OUTCOME_NOT_CANONICAL: return "the address is not canonical";
    case hv::v1::TRANSLATION_OUTCOME_NOT_PRESENT:
      return absl::StrCat("the ", entry, " is not present");
    case hv::v1::TRANSLATION_OUTCOME_RESERVED_BITS:
      return absl::StrCat("the ", entry, " has reserved bits set");
    case hv::v1::TRANSLATION_OUTCOME_NO_TABLE:
      return absl::StrCat("no RAM where the ", entry, " should be");
    default: return "?";
  }
}

const char* RouteNote(const hv::v1::MemoryRoute& route) {
  if (route.counted_writes()) return "counted writes";
  if (route.late_writes()) return "posted writes, late";
  return route.posted_writes() ? "posted writes" : "";
}

std::string Rights(const hv::v1::Translation& walk) {
  std::string rights = walk.user() ? "user" : "supervisor";
  absl::StrAppend(&rights, walk.writable() ? ", read/write" : ", read-only",
                  walk.executable() ? ", execute" : ", no execute");
  if (walk.global()) absl::StrAppend(&rights, ", global");
  if (walk.accessed()) absl::StrAppend(&rights, ", accessed");
  if (walk.dirty()) absl::StrAppend(&rights, ", dirty");
  return rights;
}

template <typename Line>
void ShowPaging(const hv::v1::MemoryPaging& paging, const Line& line) {
  if (!paging.on_demand()) {
    line("paged by",
         paging.notice().empty() ? "the host" : absl::StrCat("the host: ", paging.notice()));
    return;
  }
  line("paged by", absl::StrCat("mmu_svc, ", paging.pages(), " pages, ", paging.read_ahead_pages(),
                                " of them read ahead"));
  line("page faults",
       absl::StrCat(paging.faults(), ", ", paging.failed(), " tried again, ", paging.refused(),
                    " events refused, ", paging.wakes(), " wakes on attach"));
  line("watched writes", absl::StrCat(paging.writes(), ", ", paging.stray_writes(), " stray"));
}

}  // namespace

std::string ShowMemory(const hv::v1::GuestMemory& memory) {
  Table regions({"MEMORY", "SIZE>", "KIND", "NOTE"});
  uint64_t bytes = 0;
  for (const auto& region : memory.regions()) {
    std::string note = region.dirty_logging() ? "dirty log" : "";
    const auto add = [&](const char* one) {
      absl::StrAppend(&note, note.empty() ? "" : ", ", one);
    };
    if (region.write_watch()) add("write watch");
    if (region.write_protected()) add("protected");
    regions.Add({ShowSpan(region.address(), region.address() + region.bytes() - 1),
                 ShowBytes(region.bytes()), KindName(region.kind()), note});
    bytes += region.bytes();
  }
  Table routes({"ANSWERED", "SPACE", "BY", "NOTE"});
  for (const auto& route : memory.routes()) {
    routes.Add({ShowSpan(route.first(), route.last()),
                route.space() == hv::v1::ROUTE_SPACE_PORT ? "port" : "MMIO", route.service(),
                RouteNote(route)});
  }
  std::string text = absl::StrCat(regions.Show(), "\n", routes.Show(), "\n");
  const auto line = [&](const char* label, const std::string& value) {
    absl::StrAppendFormat(&text, "%-17s %s\n", label, value);
  };
  line("touched", absl::StrCat(ShowBytes(memory.allocated_bytes()), " of ", ShowBytes(bytes)));
  ShowPaging(memory.paging(), line);
  line("hole reads", absl::StrCat(memory.hole_reads()));
  line("hole writes", absl::StrCat(memory.hole_writes()));
  line("ROM writes", absl::StrCat(memory.rom_writes()));
  line("protected writes", absl::StrCat(memory.protected_writes()));
  line("generation", absl::StrCat(memory.generation()));
  return text;
}

std::string ShowDirtyPages(const hv::v1::TakeDirtyLogResponse& taken) {
  Table table({"WRITTEN", "PAGES>"});
  for (const auto& range : taken.ranges()) {
    const std::string& bitmap = range.bitmap();
    const uint64_t pages = bitmap.size() * 8;
    const auto is_dirty = [&](uint64_t page) {
      return page < pages && (bitmap[page / 8] >> (page % 8) & 1) != 0;
    };
    for (uint64_t page = 0; page < pages;) {
      const uint64_t first = page;
      while (is_dirty(page)) ++page;
      if (page == first) {
        ++page;
        continue;
      }
      table.Add(
          {ShowSpan(range.address() + first * kPageBytes, range.address() + page * kPageBytes - 1),
           absl::StrCat(page - first)});
    }
  }
  return absl::StrCat(table.Show(), taken.dirty_pages(), " pages, ",
                      ShowBytes(taken.dirty_pages() * kPageBytes), "\n");
}

std::string ShowTranslation(const hv::v1::Translation& walk) {
  std::string text;
  const auto line = [&](const char* label, const std::string& value) {
    absl::StrAppendFormat(&text, "%-8s  %s\n", label, value);
  };
  line("linear", ShowAddress(walk.linear()));
  line("paging", ModeName(walk.mode()));
  for (const auto& entry : walk.walk()) {
    line(LevelName(entry.level()),
         absl::StrFormat("%016x at %s", entry.value(), ShowAddress(entry.address())));
  }
  if (walk.outcome() != hv::v1::TRANSLATION_OUTCOME_MAPPED) {
    line("fault", Failure(walk));
    return text;
  }
  line("physical", absl::StrCat(ShowAddress(walk.physical()), ", ", KindName(walk.kind())));
  if (walk.page_bytes() != 0) {
    line("page", ShowBytes(walk.page_bytes()));
    line("rights", Rights(walk));
  }
  return text;
}

}  // namespace hv::cli

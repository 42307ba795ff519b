#include "hvd/machine/paging_view.h"

#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

// What no configuration asks for.
std::string NoticeOf(const GuestPaging& paging, const hv_pager_page& page) {
  if (ring::LoadRelaxed(page.released) == 0) return paging.notice;
  return "no mmu_svc stayed alive; the host gives pages for the rest of this life";
}

// Whether there was one.
bool EndWatches(hv::v1::GuestMemory& memory) {
  bool ended = false;
  for (auto& region : *memory.mutable_regions()) {
    ended |= region.write_watch();
    region.set_write_watch(false);
  }
  return ended;
}

}  // namespace

void ShowPaging(const GuestPaging& paging, const hv_pager_page& page, hv::v1::GuestMemory& memory) {
  hv::v1::MemoryPaging& shown = *memory.mutable_paging();
  shown.set_on_demand(paging.on_demand() && ring::LoadRelaxed(page.released) == 0);
  shown.set_notice(NoticeOf(paging, page));
  if (!shown.on_demand() && EndWatches(memory)) {
    shown.mutable_notice()->append("; the write watch has ended with that");
  }
  shown.set_faults(ring::LoadRelaxed(page.faults));
  shown.set_pages(ring::LoadRelaxed(page.pages));
  shown.set_read_ahead_pages(ring::LoadRelaxed(page.read_ahead_pages));
  shown.set_wakes(ring::LoadRelaxed(page.wakes));
  shown.set_refused(ring::LoadRelaxed(page.refused));
  shown.set_failed(ring::LoadRelaxed(page.failed));
  shown.set_writes(ring::LoadRelaxed(page.writes));
  shown.set_stray_writes(ring::LoadRelaxed(page.stray_writes));
}

void ShowPagingCounters(const GuestPaging& paging, const hv_pager_page& page,
                        google::protobuf::RepeatedPtrField<hv::v1::Counter>& shown) {
  if (!paging.on_demand()) return;
  const auto add = [&](const char* name, uint64_t value) {
    auto& counter = *shown.Add();
    counter.set_name(name);
    counter.set_value(value);
  };
  add("faults", ring::LoadRelaxed(page.faults));
  add("pages given", ring::LoadRelaxed(page.pages));
  add("pages read ahead", ring::LoadRelaxed(page.read_ahead_pages));
  add("wakes on attach", ring::LoadRelaxed(page.wakes));
  add("events refused", ring::LoadRelaxed(page.refused));
  add("faults tried again", ring::LoadRelaxed(page.failed));
  add("watched writes", ring::LoadRelaxed(page.writes));
  add("stray writes", ring::LoadRelaxed(page.stray_writes));
}

}  // namespace hv::hvd

#include "mmu_svc/pager/pager_thread.h"

#include <sys/prctl.h>

#include <thread>
#include <vector>

#include "abi/pager_page.h"
#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "mmu_svc/pager/pager.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPageBytes = ReadAhead::kPageBytes;

// Memory as the machine was made with: what is switched on a part of it later moves no page.
std::vector<Extent> MemoryOf(const hv::v1::MmuServiceConfig& config, uint64_t ram_bytes) {
  std::vector<Extent> memory;
  for (const auto& range : config.memory()) {
    if (range.offset() >= ram_bytes) continue;
    const uint64_t bytes = std::min(range.bytes(), ram_bytes - range.offset());
    memory.push_back({range.offset(), range.offset() + bytes});
  }
  return memory;
}

// All that a pager's thread has.
struct Serving {
  UserfaultDescriptor userfault;
  WriteWatch watch;
  Pager pager;
  Serving(UniqueFd fd, const Window& window, PageLog written, std::vector<Extent> watched,
          ReadAhead read_ahead, hv_pager_page& page)
      : userfault(std::move(fd)),
        watch(userfault, window, written, std::move(watched)),
        pager(userfault, window, std::move(read_ahead), watch, page) {}
};

}  // namespace

absl::StatusOr<WriteWatch*> StartPager(service::Attachment& attachment,
                                       std::vector<Extent> watched) {
  const hv::v1::Manifest& manifest = attachment.manifest();
  if (!manifest.has_userfault()) return nullptr;
  const Window window{manifest.userfault().address(), manifest.userfault().bytes()};
  const uint64_t ram_bytes = attachment.Find(HV_SEGMENT_GUEST_RAM).size();
  auto* page = attachment.FindAs<hv_pager_page>(HV_SEGMENT_PAGER_PAGE);
  if (page == nullptr || window.bytes != ram_bytes || window.address % kPageBytes != 0 ||
      window.address + window.bytes < window.address) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: a userfaultfd of ", window.bytes, " bytes at 0x",
                     absl::Hex(window.address), " for ", ram_bytes, " bytes of RAM, ",
                     page == nullptr ? "without" : "with", " a pager page"));
  }
  auto written = PageLog::Open(attachment.Find(HV_SEGMENT_WRITTEN_PAGES), ram_bytes / kPageBytes);
  if (!written.ok()) return written.status();
  // For good: its thread and whoever asks about writes end with the process.
  static Serving& serving =
      *new Serving(attachment.TakeUserfault(), window, *written, std::move(watched),
                   ReadAhead(MemoryOf(manifest.mmu(), ram_bytes)), *page);
  std::thread([] {
    prctl(PR_SET_NAME, "pager");
    serving.pager.TakeOver();
    while (serving.pager.ServeOnce()) {
    }
  }).detach();
  return &serving.watch;
}

}  // namespace hv::mmu

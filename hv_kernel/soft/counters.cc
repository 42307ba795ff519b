#include "hv_kernel/soft/counters.h"

#include <Zydis/Zydis.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hv::soft {
namespace {

constexpr size_t kShownHandlers = 16;

const char* NameOf(LeaveKind kind) {
  switch (kind) {
    case LeaveKind::kLink: return "left_link";
    case LeaveKind::kLookup: return "left_lookup";
    case LeaveKind::kAttention: return "left_attention";
    case LeaveKind::kMemory: return "left_tlb_miss";
    case LeaveKind::kSlowProbe: return "left_slow_probe";
    case LeaveKind::kDone: return "left_single_step";
    case LeaveKind::kHandler: return "left_handler";
    case LeaveKind::kException: return "left_exception";
    case LeaveKind::kUnsupported: return "left_unsupported";
    case LeaveKind::kHostFault: return "left_host_fault";
  }
  return "left_otherwise";
}

template <typename Select>
uint64_t Sum(std::span<SoftVcpu* const> vcpus, Select select) {
  uint64_t sum = 0;
  for (const SoftVcpu* vcpu : vcpus) sum += select(*vcpu);
  return sum;
}

void AddTranslation(std::span<SoftVcpu* const> vcpus, std::vector<Engine::Counter>& counters) {
  TranslationCache::Statistics sum;
  for (const SoftVcpu* vcpu : vcpus) {
    const TranslationCache::Statistics one = vcpu->cache().statistics();
    sum.blocks += one.blocks;
    sum.links += one.links;
    sum.invalidated += one.invalidated;
    sum.evicted += one.evicted;
    sum.flushes += one.flushes;
    sum.code_bytes += one.code_bytes;
    sum.guest_bytes += one.guest_bytes;
    sum.metadata_bytes += one.metadata_bytes;
    sum.translating_ticks += one.translating_ticks;
    sum.instructions += one.instructions;
  }
  counters.insert(counters.end(), {{"blocks", sum.blocks},
                                   {"translated_instructions", sum.instructions},
                                   {"code_bytes", sum.code_bytes},
                                   {"guest_bytes", sum.guest_bytes},
                                   {"metadata_bytes", sum.metadata_bytes},
                                   {"translating_ticks", sum.translating_ticks},
                                   {"links", sum.links},
                                   {"invalidated", sum.invalidated},
                                   {"evicted", sum.evicted},
                                   {"flushes", sum.flushes}});
}

void AddHandlers(std::span<SoftVcpu* const> vcpus, std::vector<Engine::Counter>& counters) {
  std::vector<std::pair<uint64_t, uint16_t>> handled;
  for (uint16_t mnemonic = 0; mnemonic < Dispatcher::kMnemonics; ++mnemonic) {
    const uint64_t count =
        Sum(vcpus, [&](const SoftVcpu& vcpu) { return vcpu.dispatcher().handled(mnemonic); });
    if (count != 0) handled.emplace_back(count, mnemonic);
  }
  std::sort(handled.rbegin(), handled.rend());
  if (handled.size() > kShownHandlers) handled.resize(kShownHandlers);
  for (const auto& [count, mnemonic] : handled) {
    const char* name = ZydisMnemonicGetString(static_cast<ZydisMnemonic>(mnemonic));
    counters.push_back({absl::StrCat("handler_", name), count});
  }
}

}  // namespace

std::vector<Engine::Counter> CountersOf(std::span<SoftVcpu* const> vcpus) {
  std::vector<Engine::Counter> counters;
  AddTranslation(vcpus, counters);
  const auto add = [&](const char* name, auto select) {
    counters.push_back({name, Sum(vcpus, select)});
  };
  add("tlb_misses", [](const SoftVcpu& vcpu) { return vcpu.dispatcher().tlb_misses(); });
  add("slow_instructions",
      [](const SoftVcpu& vcpu) { return vcpu.dispatcher().slow_instructions(); });
  add("cores_given_away", [](const SoftVcpu& vcpu) { return vcpu.cores_given_away(); });
  add("lookups", [](const SoftVcpu& vcpu) { return vcpu.dispatcher().lookups(); });
  for (size_t i = 0; i < kLeaveKinds; ++i) {
    const auto kind = static_cast<LeaveKind>(i);
    add(NameOf(kind), [kind](const SoftVcpu& vcpu) { return vcpu.dispatcher().left(kind); });
  }
  AddHandlers(vcpus, counters);
  return counters;
}

}  // namespace hv::soft

#include "hvd/host/immunities.h"

#include <fstream>

namespace hv::hvd {
namespace {

struct Immunity {
  const char* file;
  uint64_t bits;
};

constexpr uint64_t Bit(int number) { return uint64_t{1} << number; }

constexpr Immunity kImmunities[] = {
    {"meltdown", Bit(0)},                              // RDCL_NO
    {"l1tf", Bit(3)},                                  // SKIP_L1DFL_VMENTRY
    {"spec_store_bypass", Bit(4)},                     // SSB_NO
    {"mds", Bit(5)},                                   // MDS_NO
    {"itlb_multihit", Bit(6)},                         // IF_PSCHANGE_MC_NO
    {"tsx_async_abort", Bit(8)},                       // TAA_NO
    {"mmio_stale_data", Bit(13) | Bit(14) | Bit(15)},  // SBDR_SSDP_NO, FBSDP_NO, PSDP_NO
    {"gather_data_sampling", Bit(26)},                 // GDS_NO
    {"reg_file_data_sampling", Bit(27)},               // RFDS_NO
    {"indirect_target_selection", Bit(62)},            // ITS_NO
};

}  // namespace

uint64_t HostImmunities(const std::string& folder) {
  uint64_t immunities = 0;
  for (const Immunity& immunity : kImmunities) {
    std::ifstream file(folder + "/" + immunity.file);
    std::string line;
    if (std::getline(file, line) && line == "Not affected") immunities |= immunity.bits;
  }
  return immunities;
}

}  // namespace hv::hvd

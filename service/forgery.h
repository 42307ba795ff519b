// Cells as a peer gone wrong would write them, made from honest ones.
#pragma once

#include <cstdint>

#include "abi/cell.h"
#include "abi/fault.h"

namespace hv::service {

// Which of two roles the cell goes between.
struct CellWay {
  uint32_t from;
  uint32_t to;
};

// Makes of `honest` what `action` says; `random` chooses bits and numbers. False: there is no such
// forgery of this message that its receiver could tell (no field of it can be out of range).
// Whatever it makes, the receiver must refuse.
bool ForgeCell(hv_fault_action action, CellWay way, const hv_cell& honest, uint64_t random,
               hv_cell& forged);

}  // namespace hv::service

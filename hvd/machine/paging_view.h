// Who pages guest RAM, and what the pager has done, as the control plane shows it.
#pragma once

#include "abi/pager_page.h"
#include "hvd/plan/guest_paging.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// Fills in `paging`. A watch that mmu_svc still has in its map has ended where the host pages.
void ShowPaging(const GuestPaging& paging, const hv_pager_page& page, hv::v1::GuestMemory& memory);

// The same counters by name, for GetStats; nothing where the host pages.
void ShowPagingCounters(const GuestPaging& paging, const hv_pager_page& page,
                        google::protobuf::RepeatedPtrField<hv::v1::Counter>& shown);

}  // namespace hv::hvd

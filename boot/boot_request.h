// One hv.v1.BootRequest carried out: its descriptors mapped, the process shut in, the kernel
// loaded.
#pragma once

#include <functional>
#include <vector>

#include "base/unique_fd.h"
#include "proto/hv/v1/boot.pb.h"

namespace hv::boot {

// `shut_in` runs when everything is mapped and before a byte of it is looked at. The mappings stay:
// the process is short-lived. Whatever is wrong with the request or its files is in the response.
hv::v1::BootResponse Answer(const hv::v1::BootRequest& request,
                            const std::vector<UniqueFd>& descriptors,
                            const std::function<void()>& shut_in);

}  // namespace hv::boot

// Making the findings of the doctor.
#pragma once

#include <string>
#include <utility>

#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// `found`: what is there. `advice`: what to do about it; empty where there is nothing to do.
inline hv::v1::Finding MakeFinding(const char* topic, hv::v1::FindingLevel level, std::string found,
                                   std::string advice = "") {
  hv::v1::Finding finding;
  finding.set_topic(topic);
  finding.set_level(level);
  finding.set_found(std::move(found));
  finding.set_advice(std::move(advice));
  return finding;
}

}  // namespace hv::hvd

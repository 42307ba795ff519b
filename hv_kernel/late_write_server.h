// Serves the late writes of an engine: a message each to whoever answers there.
#pragma once

#include "hv_kernel/engine.h"
#include "hv_kernel/line_map.h"
#include "hv_kernel/router.h"
#include "hv_kernel/statistics.h"

namespace hv {

// A vCPU's: it sends on that vCPU's lines. Their rings keep the order of what this vCPU sends, and
// say nothing of another's. Among writes that may be another's, the last to a service is therefore
// answered before they count as served: then the service has handled all of them.
class LateWriteServer final : public LateWriteSink {
 public:
  LateWriteServer(const Router& router, const LineMap& lines, Statistics& statistics)
      : router_(router), lines_(lines), statistics_(statistics) {}

  // Ends early where the machine is stopping.
  void Serve(std::span<const Exit> writes, bool anyones) override;

 private:
  const Router& router_;
  const LineMap& lines_;
  Statistics& statistics_;
};

}  // namespace hv

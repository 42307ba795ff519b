#include "hvd/faults/fault_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace hv::hvd {
namespace {

constexpr char kPointPrefix[] = "FAULT_POINT_";
constexpr char kActionPrefix[] = "FAULT_ACTION_";

// From what the .proto file says to what is typed, and back.
std::string Typed(const std::string& name, const std::string& prefix) {
  if (name.empty()) return "?";
  return absl::StrReplaceAll(absl::AsciiStrToLower(name.substr(prefix.size())), {{"_", "-"}});
}
std::string Formal(const std::string& name, const std::string& prefix) {
  return absl::StrCat(prefix, absl::StrReplaceAll(absl::AsciiStrToUpper(name), {{"-", "_"}}));
}

}  // namespace

std::string PointName(hv::v1::FaultPoint point) {
  return Typed(hv::v1::FaultPoint_Name(point), kPointPrefix);
}
std::string ActionName(hv::v1::FaultAction action) {
  return Typed(hv::v1::FaultAction_Name(action), kActionPrefix);
}

hv::v1::FaultPoint PointNamed(const std::string& name) {
  hv::v1::FaultPoint point = hv::v1::FAULT_POINT_UNSPECIFIED;
  hv::v1::FaultPoint_Parse(Formal(name, kPointPrefix), &point);
  return point;
}
hv::v1::FaultAction ActionNamed(const std::string& name) {
  hv::v1::FaultAction action = hv::v1::FAULT_ACTION_UNSPECIFIED;
  hv::v1::FaultAction_Parse(Formal(name, kActionPrefix), &action);
  return action;
}

}  // namespace hv::hvd

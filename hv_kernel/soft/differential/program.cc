#include "hv_kernel/soft/differential/program.h"

#include <cstddef>

namespace hv::soft::differential {
namespace {

using Kind = Item::Kind;

constexpr size_t kFunctions = 3;
constexpr int kDeepest = 2;
constexpr size_t kMostItems = 10;
constexpr unsigned kKinds = static_cast<unsigned>(Kind::kFrame) + 1;

std::vector<Item> RandomItems(std::mt19937_64& random, int depth, size_t function) {
  std::vector<Item> items;
  const size_t count = 1 + random() % kMostItems;
  while (items.size() < count) {
    Item item{.kind = static_cast<Kind>(random() % kKinds), .seed = random(), .body = {}};
    if (item.kind == Kind::kFault && random() % 8 != 0) continue;
    if (item.kind == Kind::kCall && function + 1 >= kFunctions) continue;
    if (item.kind >= Kind::kSkip) {
      if (depth == kDeepest) continue;
      item.body = RandomItems(random, depth + 1, function);
    }
    items.push_back(std::move(item));
  }
  return items;
}

// Calls `visit` with each list of items in the program, which it may change and must change back.
template <typename Visitor>
void ForEachList(std::vector<Item>& items, Visitor visit) {
  visit(items);
  for (Item& item : items) ForEachList(item.body, visit);
}

}  // namespace

Program RandomProgram(std::mt19937_64& random) {
  Program program{.functions = {}, .seed = random()};
  for (size_t i = 0; i < kFunctions; ++i) program.functions.push_back(RandomItems(random, 0, i));
  return program;
}

std::vector<Program> Smaller(const Program& program) {
  std::vector<Program> smaller;
  Program changed = program;
  for (std::vector<Item>& function : changed.functions) {
    ForEachList(function, [&](std::vector<Item>& items) {
      for (size_t i = 0; i < items.size(); ++i) {
        const std::vector<Item> before = items;
        const auto at = static_cast<ptrdiff_t>(i);
        items.erase(items.begin() + at);
        smaller.push_back(changed);
        items.insert(items.begin() + at, before[i].body.begin(), before[i].body.end());
        if (!before[i].body.empty()) smaller.push_back(changed);
        items = before;
      }
    });
  }
  return smaller;
}

}  // namespace hv::soft::differential

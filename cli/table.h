// Text in aligned columns.
#pragma once

#include <string>
#include <vector>

namespace hv::cli {

// Columns are as wide as their widest cell and two blanks apart; the last is not padded. A header
// that ends in '>' makes its column right-aligned (and is shown without it).
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void Add(std::vector<std::string> row);
  std::string Show() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> right_;
};

}  // namespace hv::cli

#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// The confusion table of a validation.json.
class Confusion {
 public:
  /// Throws wf::Error for cells that name no class.
  explicit Confusion(const nlohmann::json& validation);

  bool empty() const { return cells_.empty(); }

  /// An <svg> element: true classes in rows, predicted ones in columns. With many classes only
  /// those with the most errors.
  std::string svg() const;

  struct Pair {
    std::string truth, predicted;
    int64_t count = 0, images = 0;  ///< mistaken images; all of the true class
  };
  /// The most frequent confusions, at most `count`.
  std::vector<Pair> most_confused(size_t count) const;

  size_t classes() const { return names_.size(); }
  size_t shown() const;

 private:
  struct Cell {
    size_t truth, predicted;
    int64_t count;
  };
  std::vector<size_t> chosen() const;

  std::vector<std::string> names_;
  std::vector<Cell> cells_;
  std::vector<int64_t> images_, errors_;  // by true class
};

}  // namespace wf

#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wf {

/// A line of a text file, without blanks around it.
struct TextLine {
  std::string text;
  int64_t number = 0;  ///< from 1
};

/// The lines of the file `path` that are not empty. Throws wf::Error when it cannot be read or has
/// none.
std::vector<TextLine> read_lines(const std::string& path);

/// Finds images by names that users write: with or without the extension, and with as many of the
/// directories above as they like. An inner tar file is a directory.
class SampleNames {
 public:
  explicit SampleNames(const Dataset& images);

  /// The image that `name` means; -1: none. The file's name must be the same and, where `name` has
  /// it, the directory above; more directories only decide between several. Throws wf::Error
  /// ("where: …") when several are left.
  int64_t find(std::string_view name, const std::string& where) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::vector<int64_t>> by_stem_;
};

}  // namespace wf

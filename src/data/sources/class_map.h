#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace wf {

/// The classes of a training set in their order. See docs/data_sources.md.
struct ClassMap {
  std::string path;
  std::vector<std::string> names;                   ///< by number, as reports show them
  std::unordered_map<std::string, int32_t> number;  ///< of a class as the data call it
  std::string first;                                ///< one of them
};

/// A text file with a line for each class: what the data call it, and behind a tab or blank perhaps
/// its number or the name that it gets. Without numbers the lines count from 0. Throws wf::Error in
/// one line when a class, a name or a number is there twice, or numbers are missing.
ClassMap read_class_map(const std::string& path);

}  // namespace wf

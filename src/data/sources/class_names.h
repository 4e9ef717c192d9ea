#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// Checkpoints and metrics are JSON, which requires UTF-8.
bool is_utf8(const std::string& text);

/// The index of each class of `found` in `classes`; an empty `classes` becomes `found`. Throws
/// wf::Error ("where/name: …") for a class that is not among them, twice there, or not UTF-8.
std::vector<int32_t> number_classes(const std::vector<std::string>& found,
                                    std::vector<std::string>& classes, const std::string& where);

}  // namespace wf

#pragma once

#include <string>
#include <vector>

namespace wf {

/// The names that a pattern of shards stands for, in order: "a-{000..146}.tar" counts, keeping
/// leading zeros, "{a,b}.tar" lists, and several braces combine, the last one fastest, as in a
/// shell and in webdataset. Throws wf::Error for braces that are nested, not closed or neither of
/// the two, and for more than a million names.
std::vector<std::string> expand_braces(const std::string& pattern);

}  // namespace wf

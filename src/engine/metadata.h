#pragma once

#include "weightformer/engine/task.h"

#include <string>
#include <vector>

namespace wf {

/// "class 1 was 'cat' and is now 'dog'" for the first class whose name differs; empty when none
/// does, when the counts differ, as the shape of the head tells that, or when a side has no names.
std::string first_other_class(const Metadata& saved, const Metadata& now);

/// Throws wf::Error naming `source` when there is such a class: with a directory renamed, or a map
/// in another order, labels would silently change their meaning.
void require_same_classes(const Metadata& saved, const std::vector<std::string>& now,
                          const std::string& source);

}  // namespace wf

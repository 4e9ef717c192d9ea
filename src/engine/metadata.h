#pragma once

#include "weightformer/engine/task.h"

#include <string>
#include <vector>

namespace wf {

/// Throws wf::Error naming `source` when the class names in `saved` differ from `now`: with a
/// renamed directory, or a map in another order, labels would silently change their meaning. No
/// error when the counts differ, which the shape of the head reveals, or when `saved` has none.
void require_same_classes(const Metadata& saved, const std::vector<std::string>& now,
                          const std::string& source);

}  // namespace wf

#pragma once

#include "weightformer/engine/task.h"

#include <string>
#include <vector>

namespace wf {

/// Throws wf::Error naming `source` when the class names in `saved` differ from `now`: with a
/// directory renamed, or a map in another order, labels would silently change their meaning. Says
/// nothing when the counts differ, as the shape of the head tells that, or when `saved` has none.
void require_same_classes(const Metadata& saved, const std::vector<std::string>& now,
                          const std::string& source);

}  // namespace wf

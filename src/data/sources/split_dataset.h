#pragma once

#include "data/dataset.h"

#include <memory>

namespace wf {

struct SplitDataset {
  std::shared_ptr<const Dataset> train,
      held_out;  ///< with all classes, in the order of the data set
};

/// Holds out the part `fraction`, in (0, 1), of the images of each class, rounded, and of a class
/// with two images or more at least one, leaving at least one. Which ones is drawn from (seed,
/// class) and does not depend on anything but the number of images of the class.
SplitDataset split_dataset(const std::shared_ptr<const Dataset>& all, double fraction,
                           uint64_t seed);

}  // namespace wf

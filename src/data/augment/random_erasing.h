#pragma once

#include "weightformer/config/enums.h"
#include "weightformer/core/random.h"

#include "data/image/resize.h"

#include <cstdint>
#include <vector>

namespace wf {

struct RandomErasingOptions {
  double probability = 0;
  ErasingFill fill = ErasingFill::pixel;
  int count = 1;  ///< parts: 1 to this many, which share the area
};

/// A part of a picture whose normalised values are replaced.
struct ErasedPart {
  Box box;
  std::vector<float> values;  ///< [3]: one colour, or [3, box.height, box.width]
};

/// What to erase of a height x width picture (Zhong et al. 2017, as timm has it): area 0.02–1/3 of
/// the picture over the number of parts, aspect 0.3–1/0.3, ten tries at one that fits.
std::vector<ErasedPart> random_erasing(int height, int width, const RandomErasingOptions& options,
                                       CounterRng& rng);

}  // namespace wf

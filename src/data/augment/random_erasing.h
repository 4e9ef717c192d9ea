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
  int count = 1;  ///< regions: 1 to this many, which share the area
};

/// A region of an image whose normalized values are replaced.
struct ErasedPart {
  Box box;
  std::vector<float> values;  ///< [3]: one color, or [3, box.height, box.width]
};

/// The regions to erase in a height x width image (Zhong et al. 2017, as in timm): area 0.02–1/3 of
/// the image divided by the number of regions, aspect 0.3–1/0.3, ten tries for a region that fits.
std::vector<ErasedPart> random_erasing(int height, int width, const RandomErasingOptions& options,
                                       CounterRng& rng);

}  // namespace wf

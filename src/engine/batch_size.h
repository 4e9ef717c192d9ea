// wf_train --batch-size auto: how many samples a micro-batch takes.
#pragma once

#include "engine/run.h"

#include <cstdint>
#include <functional>

namespace wf {

/// A step of DATA.BATCH_SIZE x TRAIN.ACCUMULATION_STEPS samples of a process, in other parts.
struct BatchParts {
  int64_t batch = 0;  ///< samples of a micro-batch
  int64_t parts = 0;  ///< micro-batches of a step
};

/// The largest divisor of `total` for which `need` (bytes for a micro-batch of so many samples,
/// which grows with it) is at most `limit`. `need` is called for a few of them, not for the largest
/// when the smaller ones show that it fits easily. 0: not even one sample fits.
int64_t largest_fitting(int64_t total, double limit, const std::function<double(int64_t)>& need);

/// The largest micro-batch whose training step fits in the memory that every rank has, found by
/// training steps that change nothing; a step keeps its samples. Every rank calls it and gets the
/// same. Throws wf::Error when not even one sample fits.
BatchParts fitting_batch(const Run& run);

}  // namespace wf

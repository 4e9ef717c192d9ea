#pragma once

#include "bench.h"
#include "bench_inspect.h"

#include <map>
#include <string>

namespace wf {

using Traffic = std::map<std::string, OpTraffic>;

struct Passes {
  Traffic forward, backward;
};

/// Forward pass and loss, backward pass of the first `depth` blocks of a model, 0: of all, on
/// tensors without data. Clipping and the optimizer, which do not depend on the batch, are not
/// among them.
Passes count_passes(BenchOptions options, int64_t depth);

}  // namespace wf

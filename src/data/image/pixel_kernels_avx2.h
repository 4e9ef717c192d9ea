#pragma once

#include "data/image/pixel_kernels.h"

namespace wf {

/// Null where the processor or the compiler has no AVX2.
const PixelKernels* avx2_kernels();

}  // namespace wf

// The vectors that the loops compute with: ATen's, or those of kernels/stable in a build on torch's
// stable ABI, which excludes ATen.
#pragma once

#ifdef TORCH_TARGET_VERSION
#include "kernels/stable/vectors.h"
#else
#include "kernels/cpu/vectors.h"
#endif

// Launches on PyTorch's current stream, which a CUDA graph may be capturing.
#pragma once

#include "weightformer/core/check.h"

#include "kernels/cuda/pack.cuh"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>

namespace wf::cuda {

/// launch(kernel, shape, params...)
inline auto launcher(const char* op) {
  return [op](auto kernel, const LaunchShape& shape, const auto&... params) {
    WF_CHECK(shape.blocks * shape.block.x * shape.block.y <= INT32_MAX, "[", op,
             "] more than 2^31 threads: split the batch");
    kernel<<<static_cast<unsigned>(shape.blocks), shape.block, 0,
             c10::cuda::getCurrentCUDAStream()>>>(params...);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  };
}

}  // namespace wf::cuda

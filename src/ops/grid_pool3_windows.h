// The windows of grid_pool3, for all devices.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define WF_HOST_DEVICE __host__ __device__
#else
#define WF_HOST_DEVICE
#endif

namespace wf {

/// Cell i of three averages rows [begin, end) of `size`.
struct PoolWindow {
  int64_t begin, end;
};
WF_HOST_DEVICE inline PoolWindow pool_window(int64_t i, int64_t size) {
  return {i * size / 3, ((i + 1) * size + 2) / 3};
}

}  // namespace wf

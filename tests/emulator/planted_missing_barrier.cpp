// Block sums that lack a barrier: the one between the threads' values and their first reading
// ("block"), or the one within a warp, which a shuffle does not replace ("warp").
// ThreadSanitizer must make this program fail, unless it is "correct".

#include "support/cuda_emulator.h"
// First the emulator, then device code.
#include "kernels/cuda/shared_memory.cuh"

#include <string>
#include <vector>

namespace {

constexpr unsigned kThreads = 256, kAll = 0xFFFFFFFFu;

__global__ void block_sum(float* sum, bool first_barrier) {
  WF_DYNAMIC_SHARED(float, partial);
  const unsigned t = threadIdx.x;
  partial[t] = 1.0f;
  if (first_barrier) __syncthreads();
  for (unsigned stride = kThreads / 2; stride > 0; stride /= 2) {
    if (t < stride) partial[t] += partial[t + stride];
    __syncthreads();
  }
  if (t == 0) *sum = partial[0];
}

__global__ void swap_in_pairs(float* values, bool barrier) {
  WF_DYNAMIC_SHARED(float, mine);
  const unsigned t = threadIdx.x;
  mine[t] = values[t];
  const float other = __shfl_xor_sync(kAll, values[t], 1);
  if (barrier) __syncwarp();
  values[t] = 0.5f * (mine[t ^ 1u] + other);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string bug = argc > 1 ? argv[1] : "";
  if (bug != "block" && bug != "warp" && bug != "correct") return 2;
  float sum = 0;
  std::vector<float> values(kThreads);
  for (unsigned i = 0; i < kThreads; ++i) values[i] = static_cast<float>(i);
  const size_t shared_bytes = kThreads * sizeof(float);
  wf::emulator::launch(block_sum, 1, kThreads, shared_bytes, &sum, bug != "block");
  wf::emulator::launch(swap_in_pairs, 1, kThreads, shared_bytes, values.data(), bug != "warp");
  for (unsigned i = 0; i < kThreads; ++i) {
    if (values[i] != static_cast<float>(i ^ 1u)) return 1;
  }
  return sum == kThreads ? 0 : 1;
}

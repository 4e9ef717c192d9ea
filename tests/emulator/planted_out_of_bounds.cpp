// Device code that writes one element past a buffer ("heap") or past its shared memory ("shared").
// AddressSanitizer must end this program, unless it is "correct".

#include "support/cuda_emulator.h"
// First the emulator, then device code.
#include "kernels/cuda/shared_memory.cuh"

#include <string>
#include <vector>

namespace {

constexpr int kCount = 200;

__global__ void copy(const float* from, float* to, int shared_count, int count) {
  WF_DYNAMIC_SHARED(float, tile);
  const int t = static_cast<int>(threadIdx.x);
  if (t < shared_count) tile[t] = from[t % kCount];
  __syncthreads();
  if (t < count) to[t] = tile[t % kCount];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string bug = argc > 1 ? argv[1] : "";
  if (bug != "heap" && bug != "shared" && bug != "correct") return 2;
  const std::vector<float> from(kCount, 1.5f);
  std::vector<float> to(kCount);
  wf::emulator::launch(copy, 1, 256, kCount * sizeof(float), from.data(), to.data(),
                       kCount + (bug == "shared"), kCount + (bug == "heap"));
  return to == from ? 0 : 1;
}

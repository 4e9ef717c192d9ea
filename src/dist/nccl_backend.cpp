#include "dist/backend.h"

// In a file of its own because the headers take 14 s to compile and need nccl.h and CUDA's headers.
#define USE_C10D_NCCL 1
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace wf {

bool has_nccl() { return true; }

c10::intrusive_ptr<c10d::Backend> make_nccl(const BackendArguments& arguments) {
  using Nccl = c10d::ProcessGroupNCCL;
  // Gradients overlap with the backward pass, so their kernels must not queue behind it.
  auto options = Nccl::Options::create(/*is_high_priority_stream=*/true);
  options->timeout = arguments.timeout;
  return c10::make_intrusive<Nccl>(arguments.store, arguments.env.rank, arguments.env.world,
                                   options);
}

}  // namespace wf

#include "weightformer/core/check.h"

#include "dist/backend.h"

namespace wf {

bool has_nccl() { return false; }

c10::intrusive_ptr<c10d::Backend> make_nccl(const BackendArguments&) {
  throw Error(
      "training on several GPUs needs NCCL, and this build has none: install nccl.h (the "
      "nvidia-nccl wheel or libnccl-dev) and configure with -DWF_CUDA=ON");
}

}  // namespace wf

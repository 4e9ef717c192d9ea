#include "weightformer/core/check.h"
#include "weightformer/serialization/safetensors.h"

#include "data/sources/image_files.h"
#include "engine/classification/build.h"
#include "erf.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {
namespace {

at::Tensor read_tensor(const std::string& path, int64_t most) {
  const auto file = read_safetensors(path);
  const auto found = file.tensors.find("x");
  WF_CHECK(found != file.tensors.end() && found->second.dim() == 4 && found->second.size(1) == 3 &&
               found->second.size(0) > 0,
           path, ": expected x with shape [B, 3, H, W]");
  const auto& x = found->second;
  return x.narrow(0, 0, std::min(most, x.size(0))).to(torch::kFloat);
}

}  // namespace

at::Tensor erf_images(const ErfArguments& a, const Config& config) {
  if (!a.input.empty()) return read_tensor(a.input, a.count);
  const auto side = config.data.img_size;
  if (a.images.empty()) {
    const auto noise = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(a.seed));
    return torch::randn({a.count, 3, side, side}, noise);
  }
  const auto files = images_and_archives(a.images);
  // Every n-th, so that all classes of a directory occur.
  const auto count = std::min(files.size(), static_cast<size_t>(a.count));
  const auto transform = build_eval_transform(config);
  auto out = torch::empty({static_cast<int64_t>(count), 3, side, side});
  CounterRng unused{0};  // evaluation transforms are deterministic
  for (size_t i = 0; i < count; ++i) {
    (*transform)(files[i * files.size() / count].load(), unused,
                 out[static_cast<int64_t>(i)].data_ptr<float>());
  }
  return out;
}

}  // namespace wf

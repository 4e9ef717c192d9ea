#include "engine/fidelity/image_set.h"

#include "weightformer/core/check.h"

#include "core/npz.h"
#include "data/image/decode.h"
#include "data/parallel.h"
#include "data/transforms.h"

#include <torch/types.h>

namespace wf {
namespace {

class ImageFiles : public ImageSet {
 public:
  explicit ImageFiles(std::vector<std::string> files) : files_(std::move(files)) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }

  at::Tensor image(int64_t i) const override {
    const auto decoded = read_image(files_[i]);
    const auto out = torch::empty({3, decoded.height, decoded.width}, torch::kByte);
    write_planes(decoded, out.data_ptr<uint8_t>());
    return out;
  }

 private:
  std::vector<std::string> files_;
};

class ImageArray : public ImageSet {
 public:
  explicit ImageArray(const std::string& path) : array_(NpzFile(path).open("arr_0")) {
    const auto& [type, shape, data] = array_.header;
    const bool images =
        shape.size() == 3 || (shape.size() == 4 && (shape[3] == 3 || shape[3] == 1));
    WF_CHECK(images && type == torch::kByte && shape[1] > 0 && shape[2] > 0, path,
             ": arr_0 is an array ", at::IntArrayRef(shape), " of ", type,
             ", expected images [N, H, W, 3] of uint8",
             shape.size() == 4 && type == torch::kFloat
                 ? "; if these are latents, decode them first"
                 : "");
  }
  int64_t size() const override { return array_.header.shape[0]; }

  at::Tensor image(int64_t i) const override {
    const auto row = array_.rows(i, i + 1)[0];  // [H, W] or [H, W, channels]
    if (row.dim() == 2) return row.expand({3, -1, -1}).contiguous();
    return row.permute({2, 0, 1}).expand({3, -1, -1}).contiguous();
  }

 private:
  NpzArray array_;
};

}  // namespace

std::unique_ptr<ImageSet> image_set(std::vector<std::string> files) {
  return std::make_unique<ImageFiles>(std::move(files));
}

std::unique_ptr<ImageSet> image_array(const std::string& path) {
  return std::make_unique<ImageArray>(path);
}

std::vector<at::Tensor> read_images(const ImageSet& set, int64_t begin, int64_t end, int threads) {
  std::vector<at::Tensor> out(end - begin);
  in_parallel(end - begin, threads, [&](int64_t i) { out[i] = set.image(begin + i); });
  return out;
}

}  // namespace wf

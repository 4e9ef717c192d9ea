#include "weightformer/models/inception.h"

#include "weightformer/core/check.h"

#include "models/inception_block.h"

#include <torch/nn/modules/linear.h>

namespace wf {
namespace {

constexpr int64_t kPooled = 2048, kClasses = 1008, kSpatialChannels = 7;
constexpr size_t kSpatialBlock = 6;  // Mixed_6d

using BlockPtr = std::shared_ptr<InceptionBlockImpl>;

template <typename... Arguments>
BlockPtr block(Arguments&&... arguments) {
  return std::make_shared<InceptionBlockImpl>(std::forward<Arguments>(arguments)...);
}

// The letters are torchvision's.
BlockPtr block_a(int64_t in, int64_t pooled) {
  return block(in,
               std::vector<Branch>{{{"branch1x1", 64, 1, 1}},
                                   {{"branch5x5_1", 48, 1, 1}, {"branch5x5_2", 64, 5, 5}},
                                   {{"branch3x3dbl_1", 64, 1, 1},
                                    {"branch3x3dbl_2", 96, 3, 3},
                                    {"branch3x3dbl_3", 96, 3, 3}}},
               BranchPool::average, pooled);
}

BlockPtr block_b(int64_t in) {
  return block(in,
               std::vector<Branch>{{{"branch3x3", 384, 3, 3, 2}},
                                   {{"branch3x3dbl_1", 64, 1, 1},
                                    {"branch3x3dbl_2", 96, 3, 3},
                                    {"branch3x3dbl_3", 96, 3, 3, 2}}},
               BranchPool::max_stride_two);
}

BlockPtr block_c(int64_t in, int64_t width) {
  return block(
      in,
      std::vector<Branch>{
          {{"branch1x1", 192, 1, 1}},
          {{"branch7x7_1", width, 1, 1}, {"branch7x7_2", width, 1, 7}, {"branch7x7_3", 192, 7, 1}},
          {{"branch7x7dbl_1", width, 1, 1},
           {"branch7x7dbl_2", width, 7, 1},
           {"branch7x7dbl_3", width, 1, 7},
           {"branch7x7dbl_4", width, 7, 1},
           {"branch7x7dbl_5", 192, 1, 7}}},
      BranchPool::average, 192);
}

BlockPtr block_d(int64_t in) {
  return block(in,
               std::vector<Branch>{{{"branch3x3_1", 192, 1, 1}, {"branch3x3_2", 320, 3, 3, 2}},
                                   {{"branch7x7x3_1", 192, 1, 1},
                                    {"branch7x7x3_2", 192, 1, 7},
                                    {"branch7x7x3_3", 192, 7, 1},
                                    {"branch7x7x3_4", 192, 3, 3, 2}}},
               BranchPool::max_stride_two);
}

BlockPtr block_e(int64_t in, BranchPool pool) {
  return block(in,
               std::vector<Branch>{{{"branch1x1", 320, 1, 1}},
                                   {{"branch3x3_1", 384, 1, 1},
                                    {"branch3x3_2a", 384, 1, 3},
                                    {"branch3x3_2b", 384, 3, 1, 1, /*beside=*/true}},
                                   {{"branch3x3dbl_1", 448, 1, 1},
                                    {"branch3x3dbl_2", 384, 3, 3},
                                    {"branch3x3dbl_3a", 384, 1, 3},
                                    {"branch3x3dbl_3b", 384, 3, 1, 1, /*beside=*/true}}},
               pool, 192);
}

}  // namespace

InceptionImpl::InceptionImpl() {
  add_conv("Conv2d_1a_3x3", 3, 32, 3, 2, 0);
  add_conv("Conv2d_2a_3x3", 32, 32, 3, 1, 0);
  add_conv("Conv2d_2b_3x3", 32, 64, 3, 1, 1);
  add_conv("Conv2d_3b_1x1", 64, 80, 1, 1, 0);
  add_conv("Conv2d_4a_3x3", 80, 192, 3, 1, 0);
  add_block("Mixed_5b", block_a(192, 32));
  add_block("Mixed_5c", block_a(256, 64));
  add_block("Mixed_5d", block_a(288, 64));
  add_block("Mixed_6a", block_b(288));
  add_block("Mixed_6b", block_c(768, 128));
  add_block("Mixed_6c", block_c(768, 160));
  add_block("Mixed_6d", block_c(768, 160));
  add_block("Mixed_6e", block_c(768, 192));
  add_block("Mixed_7a", block_d(768));
  add_block("Mixed_7b", block_e(1280, BranchPool::average));
  // A maximum where the other blocks average: so it is in the graph that all FIDs are computed
  // with.
  add_block("Mixed_7c", block_e(2048, BranchPool::max));
  fc = register_module("fc", torch::nn::Linear(kPooled, kClasses));
}

void InceptionImpl::add_conv(const std::string& name, int64_t in, int64_t out, int64_t kernel,
                             int64_t stride, int64_t padding) {
  stem_.push_back(register_module(name, std::make_shared<InceptionConvImpl>(InceptionConvOptions{
                                            in, out, kernel, kernel, stride, padding, padding})));
}

void InceptionImpl::add_block(const std::string& name, BlockPtr block) {
  blocks_.push_back(register_module(name, std::move(block)));
}

at::Tensor InceptionImpl::stem(const at::Tensor& x) {
  auto y = stem_[2]->forward(stem_[1]->forward(stem_[0]->forward(x)));
  y = stem_[4]->forward(stem_[3]->forward(at::max_pool2d(y, 3, 2)));
  return at::max_pool2d(y, 3, 2);
}

InceptionFeatures InceptionImpl::forward(const at::Tensor& x) {
  WF_CHECK(x.dim() == 4 && x.size(1) == 3 && x.size(2) >= 75 && x.size(3) >= 75,
           "Inception: expected [B, 3, H, W] of at least 75 x 75, got ", x.sizes());
  InceptionFeatures out;
  auto y = stem(x);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    y = blocks_[i]->forward(y);
    if (i != kSpatialBlock) continue;
    // The channels of branch1x1 come first.
    out.spatial = y.narrow(1, 0, kSpatialChannels).permute({0, 2, 3, 1}).flatten(1);
  }
  out.pooled = y.mean({2, 3});
  return out;
}

at::Tensor InceptionImpl::logits(const at::Tensor& pooled) const {
  return pooled.mm(fc->weight.t());
}

void InceptionImpl::fold_norms() {
  for (const auto& conv : stem_) conv->fold();
  for (const auto& block : blocks_) block->fold();
}

}  // namespace wf

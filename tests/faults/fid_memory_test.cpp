// The memory that the figures of 50,000 images against 10,000 take, with features of random numbers
// in the place of Inception's: their widths, and all that is computed from them.

#include "weightformer/core/memory.h"

#include "core/peak_memory.h"
#include "engine/fidelity/figures.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

constexpr double kLimitMiB = 2e9 / (1 << 20);

class Blank : public ImageSet {
 public:
  explicit Blank(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  at::Tensor image(int64_t i) const override {
    return torch::full({3, 2, 2}, i % 256, torch::kByte);
  }

 private:
  int64_t size_;
};

class RandomFeatures : public FeatureNetwork {
 public:
  ImageFeatures features(const std::vector<at::Tensor>& images) override {
    const auto count = static_cast<int64_t>(images.size());
    return {torch::rand({count, dim()}), torch::rand({count, spatial_dim()}),
            torch::randn({count, 1008})};
  }
  int64_t dim() const override { return 2048; }
  int64_t spatial_dim() const override { return 2023; }
  const FidelitySettings& settings() const override { return settings_; }

 private:
  FidelitySettings settings_;
};

ComparedSet compared(int64_t images, bool scored) {
  RandomFeatures network;
  FeatureSetOptions options;
  options.batch_size = 500;
  options.keep_features = true;
  if (scored) options.score_chunk = kScoreChunk;
  auto set = extract_features(Blank(images), network, options);
  ComparedSet out;
  out.pooled = set.pooled.total().statistics();
  out.spatial = set.spatial->statistics();
  out.features = std::move(set);
  return out;
}

TEST(FidMemory, OfFiftyThousandImagesAgainstTenThousandIsBelowTwoGigabytes) {
  keep_freed_memory();  // as in wf_fid
  torch::manual_seed(0);
  const auto samples = compared(50000, true), reference = compared(10000, false);
  const auto figures = compute_figures(samples, reference, {}, "FID");
  EXPECT_EQ(figures.all.size(), 8u);
  EXPECT_TRUE(figures.left_out.empty());
  const double peak = peak_memory_mib(c10::kCPU);
  std::cout << "peak of resident memory: " << peak << " MiB\n";
  EXPECT_GT(peak, 470);  // that of the features themselves
  EXPECT_LT(peak, kLimitMiB);
}

}  // namespace
}  // namespace wf::testing

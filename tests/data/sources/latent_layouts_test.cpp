// Latents in the files of other programs, which make_latents.py writes with NumPy, safetensors,
// zipfile and torch.

#include "data/sources/latents.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

namespace wf::testing {
namespace {

constexpr int64_t kCount = 12, kNumbers = 4 * 8 * 8;

class LatentLayouts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (run({WF_PYTHON, "-c", "import numpy, safetensors.torch"}).code != 0) return;
    directory_ = new TempDir;
    const auto made =
        run({WF_PYTHON, WF_SOURCE_DIR "/tests/data/sources/make_latents.py", directory_->path()});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  void SetUp() override {
    if (!directory_) GTEST_SKIP() << "needs NumPy and safetensors";
  }

  static std::string at(const std::string& name) { return *directory_ / name; }

  // Number k of sample i as the script writes it, in channel c = k / 64.
  static float written(int64_t i, int64_t k) { return static_cast<float>(k) / 64 + i; }
  static int64_t mirrored(int64_t k) { return k / 8 * 8 + 7 - k % 8; }

  static std::vector<float> read(const Latents& latents, int64_t i, CounterRng* rng = nullptr) {
    std::vector<float> out(kNumbers);
    EXPECT_EQ(latents.read(i, rng, out.data()), i % 3);
    return out;
  }

  template <typename F>
  static void expect_samples(const std::string& name, F expected, const LatentOptions& options = {},
                             float tolerance = 0) {
    const auto latents = open_latents(at(name), options);
    ASSERT_EQ(latents->size(), kCount) << name;
    EXPECT_EQ(latents->channels(), 4);
    EXPECT_EQ(latents->side(), 8);
    for (int64_t i = 0; i < kCount; ++i) {
      const auto numbers = read(*latents, i);
      for (int64_t k = 0; k < kNumbers; k += 7) {
        const float wanted = expected(i, k);
        ASSERT_NEAR(numbers[k], wanted, tolerance + 1e-6f * std::abs(wanted))
            << name << i << " " << k;
      }
    }
  }

  static std::string problem(const std::string& name) {
    return error_of([&] {
      const auto latents = open_latents(at(name));
      std::vector<float> out(latents->channels() * latents->side() * latents->side());
      for (int64_t i = 0; i < latents->size(); ++i) latents->read(i, nullptr, out.data());
    });
  }

  static TempDir* directory_;
};
TempDir* LatentLayouts::directory_ = nullptr;

TEST_F(LatentLayouts, HaveTheSameSamplesWhateverWroteThem) {
  for (const auto* name : {"fast_dit", "arrays/npy", "arrays/stored.npz", "arrays/deflated.npz"}) {
    expect_samples(name, written);
  }
  expect_samples("arrays/positional.npz", written, {}, 4e-3f);  // float16
}

TEST_F(LatentLayouts, OfEdm2AreReadFromADirectoryAndFromArchives) {
  const auto mean = [](int64_t i, int64_t k) { return 0.18215f * written(i, k); };
  for (const auto* name : {"edm2/plain", "edm2/STORED.zip", "edm2/DEFLATED.zip"}) {
    expect_samples(name, mean);
    const auto latents = open_latents(at(name));
    CounterRng draw{3}, same{3};
    const auto numbers = read(*latents, 4, &draw);
    EXPECT_NEAR(numbers[0], 0.18215 * (4 + 0.5 * same.normal()), 1e-6);
  }
}

TEST_F(LatentLayouts, OfLightningDiTAreNormalizedByChannel) {
  const auto normalized = [](int64_t i, int64_t k) {
    const auto c = static_cast<float>(k / 64);
    return (written(i, k) - c) / std::exp2(c);
  };
  expect_samples("shards", normalized);
  expect_samples("shards_bf16", normalized, {}, 0.05f);
  const auto latents = open_latents(at("shards"));
  EXPECT_NE(latents->name(4).find("shard000.safetensors [4]"), std::string::npos);
  EXPECT_NE(latents->name(5).find("shard001.safetensors [0]"), std::string::npos);
}

TEST_F(LatentLayouts, TakeEitherOfAnImageAndItsMirrorImage) {
  const auto latents = open_latents(at("shards"));
  int64_t flipped = 0;
  for (uint64_t epoch = 0; epoch < 400; ++epoch) {
    CounterRng rng{1, epoch};
    const auto numbers = read(*latents, 7, &rng);
    const bool mirror = numbers[0] == written(7, mirrored(0));
    ASSERT_EQ(numbers[8], mirror ? written(7, mirrored(8)) : written(7, 8));
    flipped += mirror;
  }
  EXPECT_NEAR(static_cast<double>(flipped), 200, 40);
}

TEST_F(LatentLayouts, AreScaledByTheFactorThatIsAskedFor) {
  LatentOptions options;
  options.scale = 0.5;
  const auto half = [](int64_t i, int64_t k) { return 0.5f * written(i, k); };
  for (const auto* name :
       {"fast_dit", "edm2/plain", "edm2/STORED.zip", "shards", "arrays/npy", "arrays/stored.npz"}) {
    expect_samples(name, half, options);
  }
}

TEST_F(LatentLayouts, ThatCannotBeUsedAreRefusedInOneLine) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"fortran", "Fortran order: save it with numpy.ascontiguousarray"},
      {"big_endian", "big-endian (>f4): save it with"},
      {"not_finite", "latents.npy [11]: holds numbers that are not finite"},
      {"double", "latents of type Double, expected float32 or float16"},
      {"cut", "latents.npy: truncated .npy file"},
      {"no_labels", "has latents.npy and no labels.npy: every latent needs its label"},
      {"no_labels.npz", "expected latents and labels, or arr_0 and arr_1, and it has latents"},
      {"shards_without_labels", "a.safetensors: has no labels"},
      {"unlabeled.zip", "dataset.json: has labels for 1 of 2 arrays"},
      {"null.zip", "dataset.json: expected {\"labels\""},
      {"nothing.zip", "no such directory"}};
  for (const auto& [name, message] : expected) {
    const auto said = problem("bad/" + name);
    EXPECT_TRUE(has(said, message)) << name << ": " << said;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    EXPECT_TRUE(has(said, at("bad/" + name))) << said;
  }
}

TEST_F(LatentLayouts, WithoutStatisticsNameTheWayToContinue) {
  namespace fs = std::filesystem;
  TempDir other;
  fs::copy(at("shards"), other.path());
  fs::remove(other / "latents_stats.pt");
  const auto said = error_of([&] { open_latents(other.path()); });
  EXPECT_TRUE(has(said, "no latents_stats.pt") && has(said, "DATA.LATENT_SCALE")) << said;
  LatentOptions options;
  options.scale = 0.18215;
  EXPECT_EQ(open_latents(other.path(), options)->size(), kCount);
}

TEST_F(LatentLayouts, DamagedInAnArchiveAreRefused) {
  TempDir other;
  for (const auto* name : {"STORED", "DEFLATED"}) {
    auto bytes = read_file(at(std::string("edm2/") + name + ".zip"));
    bytes[bytes.find("img-mean-std-00000003.npy") + 400] ^= 0x10;
    write_file(other / "bad.zip", bytes);
    const auto latents = open_latents(other / "bad.zip");
    std::vector<float> out(kNumbers);
    const auto said = error_of([&] { latents->read(3, nullptr, out.data()); });
    EXPECT_TRUE(has(said, "img-mean-std-00000003.npy: damaged in the archive")) << said;
    EXPECT_EQ(error_of([&] { latents->read(4, nullptr, out.data()); }), "");
  }
}

TEST_F(LatentLayouts, OfASplitAreFoundUnderEveryName) {
  TempDir data;
  EXPECT_EQ(latent_split(data.path(), "train"), "");
  write_file(data / "train.npz", "");
  EXPECT_EQ(latent_split(data.path(), "train"), data / "train.npz");
  write_file(data / "val.zip", "");
  EXPECT_EQ(latent_split(data.path(), "val"), data / "val.zip");
}

}  // namespace
}  // namespace wf::testing

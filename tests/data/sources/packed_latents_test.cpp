#include "data/sources/packed_latents.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace wf::testing {
namespace {

class PackedLatentsTest : public ::testing::Test {
 protected:
  static PackedLatentsInfo info() {
    PackedLatentsInfo info;
    info.channels = 2;
    info.side = 3;
    info.samples = 3;
    info.scale = 0.5;
    info.shift = 1;
    info.classes = {"cat", "dog"};
    info.origin = "vae: 0123\n";
    return info;
  }
  // Sample i: mean 4 + i and log-variance i, mirrored -4 - i and i.
  std::string write(PackedLatentsInfo info) const {
    const auto path = directory_ / "train.wflat";
    PackedLatentsWriter writer(path, info);
    for (int64_t i = 0; i < info.samples; ++i) {
      const auto plane = [&](int64_t value) {
        return torch::full({info.channels, info.side, info.side}, value, info.type);
      };
      const auto all = torch::stack({plane(4 + i), plane(i), plane(-4 - i), plane(i)});
      writer.add(all.narrow(0, 0, info.planes).contiguous(), i % 2);
    }
    writer.finish();
    return path;
  }
  // The first number of a read of sample `i`.
  static float first(const Latents& latents, int64_t i, CounterRng* rng) {
    std::vector<float> out(18);
    EXPECT_EQ(latents.read(i, rng, out.data()), i % 2);
    return out[0];
  }

  TempDir directory_;
};

TEST_F(PackedLatentsTest, AreReadAsTheyWereWritten) {
  for (const auto type : {torch::kFloat, torch::kHalf}) {
    auto made = info();
    made.type = type;
    write(made);
    const auto latents = open_latents(directory_ / "train.wflat");
    EXPECT_EQ(latents->size(), 3);
    EXPECT_EQ(latents->channels(), 2);
    EXPECT_EQ(latents->side(), 3);
    EXPECT_EQ(latents->classes(), made.classes);
    EXPECT_EQ(PackedLatents(directory_ / "train.wflat").info().origin, made.origin);
    EXPECT_EQ(first(*latents, 1, nullptr), (5 - 1) * 0.5f);
    CounterRng rng{7}, same{7};
    same.uniform();  // decides about the mirror image
    EXPECT_FLOAT_EQ(first(*latents, 2, &rng),
                    (6 + std::exp(1.0f) * static_cast<float>(same.normal()) - 1) * 0.5f);
  }
  EXPECT_EQ(latent_split(directory_.path(), "train"), directory_ / "train.wflat");
  EXPECT_EQ(latent_split(directory_.path(), "val"), "");
}

TEST_F(PackedLatentsTest, AreMirroredInDrawsOnly) {
  auto made = info();
  write(made);
  const PackedLatents always(directory_ / "train.wflat", 1), half(directory_ / "train.wflat", 0.5);
  EXPECT_GT(first(always, 0, nullptr), 0);
  int64_t mirrored = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    CounterRng rng{i}, same{i};
    const bool flip = same.uniform() < 0.5;
    const auto z = (flip ? -4 : 4) + static_cast<float>(same.normal());
    EXPECT_FLOAT_EQ(first(half, 0, &rng), (z - 1) * 0.5f);
    mirrored += flip;
  }
  EXPECT_NEAR(static_cast<double>(mirrored), 100, 30);
  made.planes = 2;
  write(made);
  CounterRng rng{1}, same{1};
  same.uniform();
  const auto z = 4 + static_cast<float>(same.normal());
  EXPECT_FLOAT_EQ(first(PackedLatents(directory_ / "train.wflat", 1), 0, &rng), (z - 1) * 0.5f);
}

TEST_F(PackedLatentsTest, AreRefusedWhenDamaged) {
  const auto path = write(info());
  const auto bytes = read_file(path);
  const auto open = [&] { return error_of([&] { PackedLatents file(path); }); };
  for (const size_t kept : {bytes.size() - 1, bytes.size() / 2, size_t{70}}) {
    write_file(path, bytes.substr(0, kept));
    EXPECT_TRUE(has(open(), "train.wflat: truncated or damaged")) << open();
  }
  for (const size_t at : {size_t{12}, bytes.size() - 40}) {  // header, index
    auto changed = bytes;
    changed[at] ^= 1;
    write_file(path, changed);
    EXPECT_TRUE(has(open(), "truncated or damaged")) << open();
  }
  write_file(path, "something else that is long enough to have a header and a footer of a file");
  EXPECT_TRUE(has(open(), "not a file of wf_encode")) << open();
  auto changed = bytes;
  changed[64 + 100] ^= 1;  // in the first row
  write_file(path, changed);
  const PackedLatents latents(path);
  std::vector<float> out(18);
  const auto message = error_of([&] { latents.read(0, nullptr, out.data()); });
  EXPECT_TRUE(has(message, "train.wflat [0]: damaged: its CRC-32 does not match")) << message;
  EXPECT_EQ(latents.read(1, nullptr, out.data()), 1);
}

TEST_F(PackedLatentsTest, AreWrittenOnlyAsPromised) {
  const auto path = directory_ / "train.wflat";
  PackedLatentsWriter writer(path, info());
  EXPECT_TRUE(has(error_of([&] {
                    writer.add(torch::zeros({4, 2, 3, 4}), 0);
                  }),
                  "expected 4 x 2 x 3 x 3"));
  EXPECT_TRUE(has(error_of([&] {
                    writer.add(torch::zeros({4, 2, 3, 3}), 2);
                  }),
                  "label 2, and there are 2 classes"));
  EXPECT_TRUE(has(error_of([&] { writer.finish(); }), "0 samples, expected 3"));
}

}  // namespace
}  // namespace wf::testing

// wf_encode, and what wf_train and wf_sample do with latents.

#include "core/npz.h"
#include "data/image/decode.h"
#include "data/sources/packed_latents.h"
#include "data/transforms.h"
#include "support/process.h"
#include "support/ranks.h"
#include "support/tiny_vae.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class WfEncode : public ::testing::Test {
 protected:
  static constexpr const char* kConfig = R"(
DATA: {IMG_SIZE: 8, BATCH_SIZE: 4, NUM_WORKERS: 2}
MODEL: {TYPE: wfm_dit, NAME: dit_nano, DIM: 16, DEPTH: 1, NUM_CLASSES: 2}
TRAIN: {STEPS: 4, WARMUP_EPOCHS: 0, BASE_LR: 1.0e-3, LR_SCALING: none, EMA_DECAY: 0.9,
        LR_SCHEDULER: {NAME: constant}}
DIFFUSION: {STEPS: 40, CHANNELS: 3}
SAMPLE: {STEPS: 3, SCALE: 2, COLUMNS: 2}
)";

  void SetUp() override {
    write_toy_folder(directory_ / "data", /*train=*/22, /*val=*/6, /*side=*/20);
    write_tiny_vae(directory_ / "vae");
    write_file(directory_ / "run.yaml", kConfig);
  }
  std::vector<std::string> words(const std::string& output,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out{program("wf_encode"),
                                 "--data-path",
                                 directory_ / "data",
                                 "--vae",
                                 directory_ / "vae",
                                 "--output",
                                 directory_ / output,
                                 "--size",
                                 "16",
                                 "--batch-size",
                                 "3",
                                 "--part",
                                 "6",
                                 "--device",
                                 "cpu"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::string bytes(const std::string& output) const {
    return read_file(directory_ / (output + "/train.wflat")) +
           read_file(directory_ / (output + "/val.wflat"));
  }
  Finished train(const std::string& tag, const std::string& data,
                 const std::vector<std::string>& opts) const {
    std::vector<std::string> out{program("wf_train"),
                                 "--cfg",
                                 directory_ / "run.yaml",
                                 "--data-path",
                                 directory_ / data,
                                 "--output",
                                 directory_ / "out",
                                 "--tag",
                                 tag,
                                 "--device",
                                 "cpu",
                                 "--opts"};
    out.insert(out.end(), opts.begin(), opts.end());
    return run(out);
  }
  std::string file(const std::string& tag, const std::string& name) const {
    return directory_ / ("out/dit_nano/" + tag + "/" + name);
  }
  // The last validation loss of a run.
  double validation_loss(const std::string& tag) const {
    std::istringstream lines(read_file(file(tag, "metrics.jsonl")));
    double found = -1;
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      if (json.contains("val_loss")) found = json["val_loss"];
    }
    return found;
  }
  static void expect_refused(const Finished& ended, const std::string& message) {
    EXPECT_EQ(ended.code, 2) << ended.err;
    EXPECT_NE(ended.err.find(message), std::string::npos) << ended.err;
  }

  TempDir directory_;
};

TEST_F(WfEncode, ImagesOfATarFileBecomeTheSameLatents) {
  fs::create_directories(directory_ / "archive");
  ASSERT_EQ(run({"tar", "--sort=name", "-C", directory_ / "data/train", "-cf",
                 directory_ / "archive/images.tar", "level", "upright"})
                .code,
            0);
  auto of_tar = words("of_tar", {"--split", "train", "--opts", "DATA.TRAIN", "images.tar"});
  of_tar[2] = directory_ / "archive";
  const auto ended = run(of_tar);
  ASSERT_EQ(ended.code, 0) << ended.err;
  ASSERT_EQ(run(words("of_files", {"--split", "train"})).code, 0);
  const auto latents = [&](const char* output) {
    const PackedLatents file(directory_ / (std::string(output) + "/train.wflat"));
    std::vector<float> numbers(static_cast<size_t>(file.size()) * 3 * 8 * 8);
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < file.size(); ++i) {
      labels.push_back(file.read(i, nullptr, numbers.data() + i * 3 * 8 * 8));
    }
    return std::pair(labels, numbers);
  };
  EXPECT_EQ(latents("of_tar"), latents("of_files"));
  EXPECT_EQ(latents("of_tar").first.size(), 22u);
}

TEST_F(WfEncode, WritesThePosteriorOfTheCenterCropAndOfItsMirrorImage) {
  const auto ended = run(words("latents"));
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("images/s  data wait"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("train.wflat: latents of 22 images"), std::string::npos) << ended.err;
  EXPECT_FALSE(fs::exists(directory_ / "latents/train.wflat.parts"));
  const PackedLatents latents(directory_ / "latents/train.wflat");
  EXPECT_EQ(latents.classes(), (std::vector<std::string>{"level", "upright"}));
  EXPECT_EQ(latents.size(), 22);
  EXPECT_EQ(latents.info().planes, 4);
  EXPECT_EQ(latents.info().scale, 0.18215);
  // The first image in the order of the names.
  const auto crop = center_crop(read_image(directory_ / "data/train/level/1.png"), 16);
  auto image = torch::empty({1, 3, 16, 16}, torch::kByte);
  write_planes(crop, image.data_ptr<uint8_t>());
  const torch::InferenceMode inference;
  const auto expected = tiny_vae()->encode(image.to(torch::kFloat) / 127.5 - 1).mean * 0.18215;
  std::vector<float> out(3 * 8 * 8);
  EXPECT_EQ(latents.read(0, nullptr, out.data()), 0);
  const auto found = torch::from_blob(out.data(), {1, 3, 8, 8});
  EXPECT_LE((found - expected).abs().max().item<float>(), 1e-5);
  // Without noise, a mirrored draw is what the mirrored image becomes.
  const auto mirrored = tiny_vae()->encode(image.flip(3).to(torch::kFloat) / 127.5 - 1);
  const PackedLatents flipped(directory_ / "latents/train.wflat", /*hflip=*/1);
  CounterRng rng{3}, same{3};
  same.uniform();
  flipped.read(0, &rng, out.data());
  const auto z = mirrored.mean.flatten()[0].item<float>() +
                 std::exp(mirrored.logvar.flatten()[0].item<float>() / 2) * same.normal();
  EXPECT_NEAR(out[0], 0.18215 * z, 1e-5);
}

TEST_F(WfEncode, KilledAndRestartedOnOtherRanksWritesTheSameBytes) {
  ASSERT_EQ(run(words("full")).code, 0);
  {
    Process killed(words("broken"));
    ASSERT_TRUE(killed.wait_for("part 2/4")) << killed.err();
    killed.send(SIGKILL);
    killed.wait();
  }
  if (fs::exists(directory_ / "broken/train.wflat.parts")) {
    write_file(directory_ / "broken/train.wflat.parts/shards/000012.npz", "not an archive");
    write_file(directory_ / "broken/train.wflat.parts/shards/000018.npz.tmp1", "half");
    expect_refused(run(words("broken")), "000012.npz: ");
  }
  const auto ended = Ranks(2, words("broken")).wait();
  for (const auto& rank : ended) ASSERT_EQ(rank.code, 0) << told(ended);
  EXPECT_EQ(bytes("broken"), bytes("full"));
  const auto again = run(words("broken"));
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("train.wflat: complete, nothing to encode"), std::string::npos);
  expect_refused(run(words("broken", {"--no-flip"})), "exists and was made with other settings");
}

TEST_F(WfEncode, LeavesUnreadableImagesOut) {
  write_file(directory_ / "data/train/level/3.png", "not an image");
  const auto ended = run(words("latents", {"--half", "--no-flip", "--split", "train"}));
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("latents of 21 images, 1 unreadable ones left out"), std::string::npos);
  EXPECT_NE(ended.err.find("level/3.png"), std::string::npos) << ended.err;
  EXPECT_EQ(PackedLatents(directory_ / "latents/train.wflat").size(), 21);
  EXPECT_FALSE(fs::exists(directory_ / "latents/val.wflat"));
}

TEST_F(WfEncode, RefusesBadInputInOneLine) {
  const auto changed = [&](const std::string& flag, const std::string& value) {
    auto command = words("o");
    *(std::find(command.begin(), command.end(), flag) + 1) = value;
    return run(command);
  };
  expect_refused(changed("--size", "17"), "--size 17: must be a multiple of 2");
  expect_refused(changed("--part", "7"), "--part 7: must be a multiple of --batch-size");
  expect_refused(changed("--vae", directory_ / "none"), "none: no such file or directory");
  expect_refused(changed("--data-path", directory_ / "none"), "none: no such directory");
  expect_refused(run(words("o", {"--vae-tile", "12"})),
                 "tiles of 12 pixels: the side must be a multiple of 8");
}

TEST_F(WfEncode, LatentsAreTrainedOnAndSamplesDecoded) {
  ASSERT_EQ(run(words("latents")).code, 0);
  const auto trained = train("encoded", "latents", {"DATA.DATASET", "latents"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  // Encoded during training, the validation loss is the same: it is that of the means.
  const auto direct =
      train("direct", "data", {"DATA.VAE", directory_ / "vae", "SAMPLE.EVERY", "4"});
  ASSERT_EQ(direct.code, 0) << direct.err;
  EXPECT_TRUE(fs::exists(file("direct", "samples/step_4.png")));
  const auto evaluate = [&](const std::string& data, const std::vector<std::string>& opts) {
    std::vector<std::string> out{program("wf_train"),
                                 "--cfg",
                                 directory_ / "run.yaml",
                                 "--eval",
                                 "--resume",
                                 file("encoded", "max_acc.pth"),
                                 "--data-path",
                                 directory_ / data,
                                 "--output",
                                 directory_ / "out",
                                 "--tag",
                                 "evaluated",
                                 "--device",
                                 "cpu",
                                 "--opts"};
    out.insert(out.end(), opts.begin(), opts.end());
    const auto ended = run(out);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return nlohmann::json::parse(ended.out)["val_loss"].get<double>();
  };
  const double encoded = evaluate("latents", {"DATA.DATASET", "latents"});
  EXPECT_NEAR(evaluate("data", {"DATA.VAE", directory_ / "vae"}), encoded, 1e-5 * encoded);
  // The images of other weights of the autoencoder are other data.
  auto other = state_dict(*tiny_vae());
  other["quant_conv.bias"] = other["quant_conv.bias"] + 1;
  write_file(directory_ / "other/config.json", tiny_vae_config());
  write_safetensors(directory_ / "other/diffusion_pytorch_model.safetensors", {other});
  expect_refused(train("direct", "data", {"DATA.VAE", directory_ / "other", "TRAIN.STEPS", "6"}),
                 "trained with the vae ");
}

TEST_F(WfEncode, SamplesAreDecodedInBatches) {
  ASSERT_EQ(run(words("latents")).code, 0);
  ASSERT_EQ(train("run", "latents", {"DATA.DATASET", "latents"}).code, 0);
  const auto sample = [&](const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> out{program("wf_sample"), "--resume", file("run", "max_acc.pth"),
                                 "--output", directory_ / output};
    out.insert(out.end(), more.begin(), more.end());
    return run(out);
  };
  const auto vae = directory_ / "vae";
  const std::vector<std::string> many{"--images", "10", "--shard", "4", "--vae", vae};
  const auto drawn = sample("decoded", many);
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_NE(drawn.err.find("images/s  decoding "), std::string::npos) << drawn.err;
  ASSERT_EQ(sample("latent", {"--images", "10", "--shard", "4"}).code, 0);
  const auto images = NpzFile(directory_ / "decoded/samples.npz").read("arr_0");
  const auto latents = NpzFile(directory_ / "latent/samples.npz").read("arr_0");
  ASSERT_EQ(images.sizes(), (std::vector<int64_t>{10, 16, 16, 3}));
  const torch::InferenceMode inference;
  const auto expected = (tiny_vae()->decode_latents(latents) * 127.5 + 128).clamp(0, 255);
  const auto difference = images.permute({0, 3, 1, 2}).to(torch::kFloat) - expected.floor();
  EXPECT_LE(difference.abs().max().item<float>(), 1);
  EXPECT_LE(difference.abs().mean().item<float>(), 0.01);
  // The autoencoder is one of the settings.
  auto tiles = many;
  tiles.insert(tiles.end(), {"--vae-tile", "8"});
  expect_refused(sample("decoded", tiles), "'vae tiles: 0', now 'vae tiles: 8'");
  EXPECT_EQ(sample("tiles", tiles).code, 0);
  const auto grid = sample("grid", {"--per-class", "2", "--vae", vae});
  ASSERT_EQ(grid.code, 0) << grid.err;
  EXPECT_NE(grid.out.find("decoding "), std::string::npos) << grid.out;
  expect_refused(sample("bad", {"--vae", vae, "--vae-tile", "9"}), "multiple of 8");
  expect_refused(sample("bad", {"--vae", directory_ / "none"}), "none: no such file or directory");
}

}  // namespace
}  // namespace wf::testing

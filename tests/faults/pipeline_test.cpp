// From photographs to figures: wf_encode, wf_train, wf_sample, wf_fid, each killed once. The page
// is docs/pipeline.md.

#include "core/inflate.h"
#include "core/mapped_file.h"
#include "core/zip_archive.h"
#include "support/all_tensors.h"
#include "support/inception_weights.h"
#include "support/process.h"
#include "support/tiny_vae.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

// Photographs of walls, plants, people …: Debian's package ufoai-textures.
constexpr const char* kPhotographs = "/usr/share/games/ufoai/base/0textures.pk3";

// The first `count` JPEGs of each of a few directories of the archive as root/CLASS/NAME.jpg.
void extract_photographs(const std::string& root, size_t count) {
  const MappedFile archive(kPhotographs);
  std::map<std::string, size_t> taken{{"tex_mattn", 0}, {"tex_buildings", 0}, {"tex_nature", 0}};
  for (const auto& entry : zip_entries(archive.bytes(), archive.path())) {
    const fs::path name{std::string(entry.name)};
    const auto found = taken.find(name.parent_path().filename());
    if (name.extension() != ".jpg" || found == taken.end() || found->second == count) continue;
    const auto stored = zip_data(archive.bytes(), entry);
    ASSERT_TRUE(stored.has_value()) << entry.name;
    std::string bytes(entry.size, 0);
    if (entry.method == 0) {
      bytes = std::string(*stored);
    } else {
      ASSERT_TRUE(inflate_to(*stored, bytes.data(), entry.size)) << entry.name;
    }
    write_file(root + "/" + found->first + "/" + name.filename().string(), bytes);
    ++found->second;
  }
  for (const auto& [directory, images] : taken) ASSERT_EQ(images, count) << directory;
}

class Pipeline : public ::testing::Test {
 protected:
  static constexpr const char* kConfig = R"(
DATA: {DATASET: latents, DATA_PATH: latents, IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 2}
MODEL: {TYPE: wfm_dit, NAME: dit_nano, DIM: 32, DEPTH: 2, NUM_CLASSES: 3}
TRAIN: {STEPS: 60, WARMUP_EPOCHS: 0, BASE_LR: 1.0e-3, LR_SCALING: none, EMA_DECAY: 0.9,
        LR_SCHEDULER: {NAME: constant}}
DIFFUSION: {STEPS: 100, CHANNELS: 3}
SAVE_STEPS: 3
DEVICE: cpu
)";
  // The commands of the pipeline, with what the log shows when each is killed.
  struct Stage {
    std::vector<std::string> command;
    std::string killed_at;
  };
  static std::vector<Stage> stages() {
    return {{{"wf_encode", "--data-path", "photographs", "--vae", "vae", "--output", "latents",
              "--size", "32", "--batch-size", "4", "--part", "8", "--device", "cpu"},
             "part 2/"},
            {{"wf_train", "--cfg", "run.yaml"}, "ckpt_step_33.pth in "},
            {{"wf_sample", "--resume", "output/dit_nano/default/max_acc.pth", "--vae", "vae",
              "--output", "samples", "--images", "24", "--shard", "4", "--batch-size", "4",
              "--steps", "10", "--scale", "1.5", "--device", "cpu"},
             "shard 3/"},
            {{"wf_fid", "samples/samples.npz", "photographs/train", "--weights",
              "inception.safetensors", "--output", "result.json", "--device", "cpu"},
             ""}};
  }
  // Relative paths, so that files that contain some are comparable.
  static std::vector<std::string> in(const std::string& root, const Stage& stage) {
    auto words = stage.command;
    words[0] = program(words[0]);
    words.insert(words.begin(), {"env", "-C", root});
    return words;
  }
  void prepare(const std::string& root) const {
    fs::create_directories(root);
    for (const auto* shared : {"photographs", "vae", "inception.safetensors"}) {
      fs::create_symlink(directory_ / shared, root + "/" + shared);
    }
    write_file(root + "/run.yaml", kConfig);
  }

  TempDir directory_;
};

TEST_F(Pipeline, KilledInEveryProgramEndsWithTheSameBytes) {
  if (!fs::exists(kPhotographs)) GTEST_SKIP() << "needs apt-get install ufoai-textures";
  extract_photographs(directory_ / "photographs/train", 14);
  write_tiny_vae(directory_ / "vae");
  write_safetensors(directory_ / "inception.safetensors", {inception_weights()});
  const auto unbroken = directory_ / "unbroken", broken = directory_ / "broken";
  for (const auto& root : {unbroken, broken}) prepare(root);
  for (const auto& stage : stages()) {
    const auto ended = run(in(unbroken, stage));
    ASSERT_EQ(ended.code, 0) << ended.err;
    if (!stage.killed_at.empty()) {
      Process killed(in(broken, stage));
      ASSERT_TRUE(killed.wait_for(stage.killed_at)) << killed.err();
      killed.send(SIGKILL);
      ASSERT_EQ(killed.wait().code, 128 + SIGKILL) << stage.command[0] << " was too fast";
    }
    const auto resumed = run(in(broken, stage));
    ASSERT_EQ(resumed.code, 0) << resumed.err;
  }
  for (const auto* file : {"latents/train.wflat", "samples/samples.npz", "result.json"}) {
    EXPECT_EQ(read_file(unbroken + "/" + file), read_file(broken + "/" + file)) << file;
    EXPECT_GT(fs::file_size(unbroken + "/" + file), 100u) << file;
  }
  const std::string last = "/output/dit_nano/default/ckpt_epoch_12.pth";
  const auto ours = all_tensors(unbroken + last), theirs = all_tensors(broken + last);
  ASSERT_EQ(ours.size(), theirs.size());
  for (const auto& [name, tensor] : ours) {
    EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
  }
  const auto figures = nlohmann::json::parse(read_file(unbroken + "/result.json"))["figures"];
  EXPECT_GT(figures["fid"], 0);
}

}  // namespace
}  // namespace wf::testing

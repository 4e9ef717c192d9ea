// The program on tar files: as on the directory that they were made of, killed, resumed, evaluated.

#include "support/errors.h"
#include "support/process.h"
#include "support/tar_writer.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class WfTrainTar : public ::testing::Test {
 protected:
  static constexpr const char* kRun = R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 2, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 2, WARMUP_EPOCHS: 1}
AUG: {MIXUP: 0, CUTMIX: 0, AUTO_AUGMENT: none, COLOR_JITTER: 0, REPROB: 0.5}
PRINT_FREQ: 2
)";

  void SetUp() override {
    write_file(folder_ / "run.yaml", kRun);
    write_toy_folder(folder_ / "classes", /*train=*/200, /*val=*/20, /*side=*/16);
  }
  // The files of a set, under their names in it.
  std::vector<TarItem> items(const std::string& split) const {
    std::vector<TarItem> out;
    const fs::path root = folder_ / ("classes/" + split);
    for (const auto& file : fs::recursive_directory_iterator(root)) {
      if (!file.is_regular_file()) continue;
      out.push_back(
          {file.path().lexically_relative(root).string(), read_file(file.path().string())});
    }
    return out;
  }
  Finished run_on(const std::string& data, const std::string& tag,
                  std::vector<std::string> options = {}) const {
    return Process(command(data, tag, std::move(options))).wait();
  }
  std::vector<std::string> command(const std::string& data, const std::string& tag,
                                   std::vector<std::string> options = {}) const {
    std::vector<std::string> words{program("wf_train"), "--cfg",        folder_ / "run.yaml",
                                   "--data-path",       folder_ / data, "--output",
                                   folder_ / "out",     "--tag",        tag,
                                   "--device",          "cpu"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
  // Everything except speed and memory, which differ between runs.
  std::vector<nlohmann::json> metrics(const std::string& tag) const {
    std::istringstream lines(read_file(folder_ / ("out/wfm_nano/" + tag + "/metrics.jsonl")));
    std::vector<nlohmann::json> out;
    for (std::string line; std::getline(lines, line);) {
      out.push_back(nlohmann::json::parse(line));
      for (const char* key : {"images_per_s", "data_wait", "memory_mib"}) out.back().erase(key);
    }
    return out;
  }
  TempDir folder_;
};

TEST_F(WfTrainTar, EqualsTheImageDirectoryAndResumesExactly) {
  write_file(folder_ / "tar/train.tar", tar_bytes(items("train")));
  write_file(folder_ / "tar/val.tar", tar_bytes(items("val")));
  const auto directory = run_on("classes", "classes");
  ASSERT_EQ(directory.code, 0) << directory.err;
  const auto tar = run_on("tar", "tar");
  ASSERT_EQ(tar.code, 0) << tar.err;
  ASSERT_FALSE(metrics("classes").empty());
  EXPECT_EQ(metrics("classes"), metrics("tar"));
  {
    Process killed(command("tar", "killed"));
    ASSERT_TRUE(killed.wait_for("ckpt_epoch_1.pth in ")) << killed.err();
    killed.send(SIGKILL);
    killed.wait();
  }
  const auto resumed = run_on("tar", "killed");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(metrics("killed"), metrics("tar"));
}

TEST_F(WfTrainTar, TrainsOnShardsAndEvaluatesAFlatFileByItsLabels) {
  std::vector<TarItem> shard, flat;
  std::string labels;
  for (auto& item : items("train")) {
    const auto stem = fs::path(item.name).stem().string();
    shard.push_back({stem + ".png", item.bytes});
    shard.push_back({stem + ".cls", item.name.rfind("upright", 0) == 0 ? "1" : "0"});
  }
  for (auto& item : items("val")) {
    const auto file = fs::path(item.name).filename().string();
    flat.push_back({file, item.bytes});
    labels += file + (item.name.rfind("upright", 0) == 0 ? " upright\n" : " level\n");
  }
  const std::vector<TarItem> first(shard.begin(), shard.begin() + 200);
  write_file(folder_ / "data/s-000.tar", tar_bytes(first));
  write_file(folder_ / "data/s-001.tar", tar_bytes({shard.begin() + 200, shard.end()}));
  write_file(folder_ / "data/ILSVRC2012_img_val.tar", tar_bytes(flat));
  write_file(folder_ / "labels.txt", labels);
  write_file(folder_ / "map.txt", "level\nupright\n");
  const std::vector<std::string> options{"--opts",
                                         "DATA.TRAIN",
                                         "s-{000..001}.tar",
                                         "DATA.CLASS_MAP",
                                         folder_ / "map.txt",
                                         "DATA.VAL_LABELS",
                                         folder_ / "labels.txt"};
  const auto trained = run_on("data", "shards", options);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(has(trained.err, "2 classes, 200 training and 20 validation images")) << trained.err;
  auto evaluate = options;
  evaluate.insert(evaluate.begin(),
                  {"--eval", "--resume", folder_ / "out/wfm_nano/shards/ckpt_epoch_2.pth"});
  const auto evaluated = run_on("data", "eval", evaluate);
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
}

TEST_F(WfTrainTar, BadInputIsOneLine) {
  write_file(folder_ / "data/train.tar", tar_bytes(items("train")).substr(0, 5000));
  write_file(folder_ / "list.txt", "nothing\n");
  const auto cut = run_on("data", "cut");
  EXPECT_EQ(cut.code, 2);
  EXPECT_TRUE(has(cut.err, "train.tar: cut short")) << cut.err;
  const auto map = run_on("classes", "map", {"--opts", "DATA.CLASS_MAP", folder_ / "list.txt"});
  EXPECT_EQ(map.code, 2);
  EXPECT_TRUE(has(map.err, "has none of the 2 classes of the data, such as level")) << map.err;
  const auto shards = run_on("classes", "shards", {"--opts", "DATA.TRAIN", "{0..1.tar"});
  EXPECT_EQ(shards.code, 2);
  EXPECT_TRUE(has(shards.err, "{0..1.tar: braces that are")) << shards.err;
}

}  // namespace
}  // namespace wf::testing

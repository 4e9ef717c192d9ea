#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include "data/sources/packed_file.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/tar_writer.h"
#include "support/temp_dir.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace wf::testing {
namespace {

class WfInfer : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = create_classifier("wfm_nano");
    fill_parameters(*model);
    write_safetensors(folder_ / "w.safetensors", {state_dict(*model), {}});
    write_file(folder_ / "c.yaml",
               "MODEL: {NAME: wfm_nano, NUM_CLASSES: 10}\nDATA: {IMG_SIZE: 64}\n");
  }
  TempDir folder_;
};

TEST_F(WfInfer, ATensorInGivesTheGoldenLogitsOut) {
  write_safetensors(folder_ / "x.safetensors", {{{"x", filled("input.x", {2, 3, 64, 64})}}, {}});
  const auto end =
      run({program("wf_infer"), "--model", "wfm_nano", "--weights", folder_ / "w.safetensors",
           "--input", folder_ / "x.safetensors", "--output", folder_ / "y.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  expect_close(read_safetensors(folder_ / "y.safetensors").tensors.at("logits"),
               golden("models/wfm_nano_64x64.safetensors").tensors.at("logits"), kLogitTolerance,
               "logits");
}

TEST_F(WfInfer, BlocksGiveTheirTokenGrids) {
  const auto x = filled("input.x", {2, 3, 64, 96});
  write_safetensors(folder_ / "x.safetensors", {{{"x", x}}, {}});
  const auto infer = [&](std::vector<std::string> blocks) {
    std::vector<std::string> command{program("wf_infer"), "--model",
                                     "wfm_nano",          folder_ / "w.safetensors",
                                     "--input",           folder_ / "x.safetensors",
                                     "--output",          folder_ / "y.safetensors",
                                     "--blocks"};
    command.insert(command.end(), blocks.begin(), blocks.end());
    return run(command);
  };
  const auto end = infer({"1", "-1"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto model = create_classifier("wfm_nano");
  fill_parameters(*model);
  model->eval();
  const torch::InferenceMode inference;
  const auto grids = model->forward_features(x, FeatureOptions().blocks({1, -1}));
  const auto tensors = read_safetensors(folder_ / "y.safetensors").tensors;
  ASSERT_EQ(tensors.size(), 2u);
  expect_close(tensors.at("block_1"), grids[0], kLogitTolerance, "block_1");
  expect_close(tensors.at("block_-1"), grids[1], kLogitTolerance, "block_-1");

  const auto missing = infer({"99"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.err.find("block 99: this model has the blocks 0 to 4"), std::string::npos)
      << missing.err;
}

TEST_F(WfInfer, ThePublishedCheckpointGivesItsLogits) {
  write_safetensors(folder_ / "x.safetensors", {{{"x", filled("input.x", {2, 3, 64, 64})}}, {}});
  const auto end = run({program("wf_infer"), "--model", "wfm_nano", "--weights",
                        golden_path("checkpoints/published_trainer.pth"), "--input",
                        folder_ / "x.safetensors", "--output", folder_ / "y.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  expect_close(read_safetensors(folder_ / "y.safetensors").tensors.at("logits"),
               golden("checkpoints/expected.safetensors").tensors.at("logits"), kLogitTolerance,
               "logits");
}

TEST_F(WfInfer, ImagesGiveTheirTopClassesAsJson) {
  const auto end = run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume",
                        folder_ / "w.safetensors", "--images", golden_path("images/rgb_420.jpg"),
                        golden_path("images/photo.bmp"), "--top", "3", "--json"});
  ASSERT_EQ(end.code, 0) << end.err;
  std::istringstream lines(end.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto answer = nlohmann::json::parse(line);
    ASSERT_EQ(answer["top"].size(), 3u);
    EXPECT_GE(answer["top"][0]["probability"], answer["top"][1]["probability"]);
  }
  EXPECT_EQ(count, 2);
}

TEST_F(WfInfer, AnArchiveIsReadInPlaceAndNeedsNoClasses) {
  const auto model = create_classifier("wfm_nano");
  fill_parameters(*model);
  const std::string classes = R"(["bag","coat","c2","c3","c4","c5","c6","c7","c8","c9"])";
  write_safetensors(folder_ / "named.safetensors", {state_dict(*model), {{"classes", classes}}});
  const auto photo = read_file(golden_path("images/photo.bmp"));
  const auto gray = read_file(golden_path("images/grey.jpg"));
  const auto bad = read_file(golden_path("images_bad/text.jpg"));
  write_file(folder_ / "flat.tar", tar_bytes({{"b.jpg", gray}, {"a.bmp", photo}, {"n.txt", "?"}}));
  write_file(folder_ / "classes.tar", tar_bytes({{"x/coat/a.bmp", photo}, {"bag/b.jpg", bad}}));
  write_file(folder_ / "shard-0.tar", tar_bytes({{"k1.bmp", photo}, {"k1.cls", "1"}}));
  write_file(folder_ / "shard-1.tar", tar_bytes({{"k0.jpg", gray}, {"k0.cls", "0"}}));
  write_file(folder_ / "some.zip",
             zip_bytes({{"in/coat/a.bmp", photo, true}, {"no.txt", "?", false}}));
  PackedWriter pack(folder_ / "some.wfpack", {"coat"});
  pack.add("coat/a.bmp", 0, photo);
  pack.finish();
  const auto infer = [&](const std::string& archive) {
    return run({program("wf_infer"), "--cfg", folder_ / "c.yaml", folder_ / "named.safetensors",
                folder_ / archive, "--json", "--top", "1"});
  };
  struct Want {
    const char* archive;
    std::vector<std::pair<std::string, nlohmann::json>> images;  // names and labels
  };
  const nlohmann::json none, coat = "coat", bag = "bag";
  std::map<std::string, nlohmann::json> top;  // by the name of the file
  for (const auto& [archive, images] :
       {Want{"flat.tar", {{"flat.tar/a.bmp", none}, {"flat.tar/b.jpg", none}}},
        Want{"classes.tar", {{"classes.tar/x/coat/a.bmp", coat}}},
        Want{"shard-{0..1}.tar", {{"shard-0.tar/k1.bmp", coat}, {"shard-1.tar/k0.jpg", bag}}},
        Want{"some.zip", {{"some.zip/in/coat/a.bmp", coat}}},
        Want{"some.wfpack", {{"some.wfpack/coat/a.bmp", coat}}}}) {
    const auto end = infer(archive);
    const bool damaged = archive == std::string("classes.tar");
    EXPECT_EQ(end.code, damaged ? 2 : 0) << end.err;
    EXPECT_EQ(end.err.find("classes.tar/bag/b.jpg: ") != std::string::npos, damaged) << end.err;
    std::istringstream lines(end.out);
    for (const auto& [name, label] : images) {
      std::string line;
      ASSERT_TRUE(std::getline(lines, line)) << archive << end.err;
      const auto answer = nlohmann::json::parse(line);
      EXPECT_EQ(answer["image"], folder_ / name);
      EXPECT_EQ(answer["label"], label) << name;
      // The same image gives the same answer, wherever it is.
      const auto first =
          top.emplace(name.substr(name.find('.', name.rfind('/'))), answer["top"]).first;
      EXPECT_EQ(answer["top"], first->second) << name;
    }
  }
  EXPECT_EQ(top.size(), 2u);
}

TEST_F(WfInfer, AnArchiveWithoutImagesOrCutShortIsNamed) {
  const auto photo = read_file(golden_path("images/photo.bmp"));
  write_file(folder_ / "none.zip", zip_bytes({{"no.txt", "?", false}}));
  write_file(folder_ / "cut.tar", tar_bytes({{"a.bmp", photo}}).substr(0, 2000));
  for (const char* archive : {"none.zip", "cut.tar"}) {
    const auto end = run({program("wf_infer"), "--cfg", folder_ / "c.yaml",
                          folder_ / "w.safetensors", folder_ / archive});
    EXPECT_EQ(end.code, 2);
    EXPECT_NE(end.err.find("error: " + (folder_ / archive)), std::string::npos) << end.err;
  }
}

TEST_F(WfInfer, AnUnreadableImageIsNamedAndTheExitCodeIsTwo) {
  const auto end =
      run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume", folder_ / "w.safetensors",
           "--images", golden_path("images_bad/text.jpg"), golden_path("images/grey.jpg")});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("text.jpg"), std::string::npos) << end.err;
  EXPECT_NE(end.out.find("grey.jpg\n"), std::string::npos) << end.out;
}

TEST_F(WfInfer, ADirectoryIsReadAsInTraining) {
  namespace fs = std::filesystem;
  const auto model = create_classifier("wfm_nano");
  fill_parameters(*model);
  const std::string classes = R"(["bag","coat","c2","c3","c4","c5","c6","c7","c8","c9"])";
  write_safetensors(folder_ / "named.safetensors", {state_dict(*model), {{"classes", classes}}});
  fs::create_directories(folder_ / "val/bag/deep/coat");
  for (const char* file : {"bag/a.bmp", "bag/deep/coat/b.BMP", "c.bmp", "bag/.hidden.jpg"}) {
    fs::copy(golden_path("images/photo.bmp"), folder_ / (std::string("val/") + file));
  }
  write_file(folder_ / "val/notes.txt", "no image");
  fs::create_symlink("loop", folder_ / "val/loop");
  const std::vector<std::string> command{program("wf_infer"),
                                         "--cfg",
                                         folder_ / "c.yaml",
                                         "--resume",
                                         folder_ / "named.safetensors",
                                         "--json",
                                         "--images",
                                         folder_ / "val/bag",
                                         folder_ / "val"};
  const auto end = run(command);
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.err.find("val: 2 files skipped (not images): "), std::string::npos) << end.err;
  EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << "hidden files are no warning";
  std::istringstream lines(end.out);
  std::vector<nlohmann::json> labels;
  for (std::string line; std::getline(lines, line);) {
    labels.push_back(nlohmann::json::parse(line)["label"]);
  }
  EXPECT_EQ(labels, (std::vector<nlohmann::json>{"bag", "bag", "bag", "bag", nullptr})) << end.out;
}

TEST_F(WfInfer, NamesThatCannotBeReadDoNotKeepTheOthersFromBeingAnswered) {
  namespace fs = std::filesystem;
  const auto directory = folder_ / "odd";
  fs::create_directory(directory);
  fs::create_symlink("loop.jpg", directory + "/loop.jpg");
  fs::create_directory_symlink(".", directory + "/again");
  ASSERT_EQ(::mkfifo((directory + "/pipe.jpg").c_str(), 0600), 0);
  fs::copy(golden_path("images/grey.jpg"), directory + "/latin\xe9.jpg");
  fs::copy(golden_path("images/grey.jpg"), directory + "/z.jpg");
  const auto end = run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume",
                        folder_ / "w.safetensors", "--json", "--images", directory});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("loop.jpg: cannot read: Too many levels of symbolic links"),
            std::string::npos)
      << end.err;
  EXPECT_NE(end.err.find("odd/again: skipped, leads back"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("1 file skipped (not images): pipe.jpg"), std::string::npos) << end.err;
  std::istringstream lines(end.out);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    names.push_back(fs::path(nlohmann::json::parse(line)["image"].get<std::string>()).filename());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"latin\xef\xbf\xbd.jpg", "z.jpg"})) << end.out;
}

TEST_F(WfInfer, ADirectoryWithoutImagesIsAnError) {
  std::filesystem::create_directory(folder_ / "empty");
  const auto end = run({program("wf_infer"), "--cfg", folder_ / "c.yaml", "--resume",
                        folder_ / "w.safetensors", "--images", folder_ / "empty"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err.rfind("error: " + (folder_ / "empty") + ": no images in it", 0), 0u) << end.err;
}

TEST_F(WfInfer, ImagesThatThePatchesDoNotCoverAreWarnedOf) {
  const auto infer = [&](int64_t side) {
    const auto x = torch::zeros({1, 3, side, side});
    write_safetensors(folder_ / "x.safetensors", {{{"x", x}}, {}});
    return run({program("wf_infer"), "--model", "wfm_nano", "--weights", folder_ / "w.safetensors",
                "--input", folder_ / "x.safetensors", "--output", folder_ / "y.safetensors"});
  };
  const auto cut = infer(75), full = infer(64);
  EXPECT_EQ(cut.code, 0);
  EXPECT_NE(cut.err.find("images of 75 x 75 pixels: the patches have 8 x 8, so the last 3 rows and "
                         "3 columns have no effect"),
            std::string::npos)
      << cut.err;
  EXPECT_EQ(full.err, "");
}

class WfInferLatents : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = create_dit("dit_nano");
    fill_parameters(*model);
    write_safetensors(folder_ / "w.safetensors", {state_dict(*model), {}});
  }
  Finished infer(const at::Tensor& t, const at::Tensor& y,
                 const std::vector<std::string>& more = {}, const std::string& name = "dit_nano") {
    const auto x = filled("input.x", {4, 4, 8, 8});
    write_safetensors(folder_ / "x.safetensors", {{{"x", x}, {"t", t}, {"y", y}}, {}});
    std::vector<std::string> words{program("wf_infer"),
                                   "--model",
                                   name,
                                   "--weights",
                                   folder_ / "w.safetensors",
                                   "--input",
                                   folder_ / "x.safetensors",
                                   "--output",
                                   folder_ / "y.safetensors"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  at::Tensor out() { return read_safetensors(folder_ / "y.safetensors").tensors.at("out"); }

  const TensorMap want_ = golden("models/dit_nano.safetensors").tensors;
  TempDir folder_;
};

TEST_F(WfInferLatents, GiveTheGoldenOutputWithAndWithoutGuidance) {
  const auto t = want_.at("t");
  const auto plain = infer(t, want_.at("y"));
  ASSERT_EQ(plain.code, 0) << plain.err;
  expect_close(out(), want_.at("out"), kLogitTolerance, "out");
  const auto guided =
      infer(t.slice(0, 0, 1).repeat({4}), want_.at("guided_y"), {"--guidance", "4"});
  ASSERT_EQ(guided.code, 0) << guided.err;
  expect_close(out(), want_.at("guided"), kLogitTolerance, "guided");
}

TEST_F(WfInferLatents, InvalidInputIsOneLineAndExitCodeTwo) {
  const auto t = want_.at("t"), y = want_.at("y");
  for (const auto& [end, message] :
       {std::pair(infer(t, y + 10), "labels: expected 0 … 10 (10 is the null class)"),
        std::pair(infer(t.slice(0, 1), y), "DiT: expected steps t of shape [4], got [3]"),
        std::pair(infer(t, y, {}, "dit_s_2"), "w.safetensors: not the weights of this model"),
        std::pair(infer(t, y, {}, "dit_nanno"), "did you mean 'dit_nano'"),
        std::pair(infer(t, y, {"--guidance", "4"}, "wfm_nano"), "wfm_nano is a classifier")}) {
    EXPECT_EQ(end.code, 2) << end.err;
    EXPECT_NE(end.err.find(message), std::string::npos) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
  }
}

TEST_F(WfInfer, AnIncompleteCommandIsOneLineAndExitCodeTwo) {
  const auto end = run({program("wf_infer"), "--model", "wfm_nano"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err.rfind("error: ", 0), 0u) << end.err;
}

TEST_F(WfInfer, AMisspeltFlagIsAnsweredWithTheNearest) {
  const auto end = run({program("wf_infer"), "--model", "wfm_nano", "--wieghts=x.pth"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err, "error: unknown flag --wieghts, did you mean --weights?\n");
}

}  // namespace
}  // namespace wf::testing

// wf_erf as a process.

#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include "support/fill.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <torch/types.h>

#include <map>

namespace wf::testing {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

class WfErf : public ::testing::Test {
 protected:
  // A file of weights with these predictors.
  std::string weights(const std::string& name, const std::string& linear = "bilateral",
                      const std::string& conv = "adaptive") {
    const auto model = make_classifier(
        classifier_options("wfm_nano").linear_predictor(linear).conv_predictor(conv));
    fill_parameters(*model);
    const Json settings{{"MODEL.NAME", "wfm_nano"},
                        {"MODEL.NUM_CLASSES", "10"},
                        {"DATA.IMG_SIZE", "64"},
                        {"MODEL.LINEAR_PREDICTOR", linear},
                        {"MODEL.CONV_PREDICTOR", conv}};
    write_safetensors(folder_ / name, {state_dict(*model), {{kSettingsMetadata, settings.dump()}}});
    return folder_ / name;
  }
  Finished erf(Words flags) {
    flags.insert(flags.begin(), program("wf_erf"));
    return run(flags);
  }
  TempDir folder_;
};

TEST_F(WfErf, TheMapIsThatOfAutogradInPython) {
  if (run({WF_PYTHON, "-c", "import safetensors"}).code != 0) GTEST_SKIP() << "no safetensors";
  const auto file = weights("w.safetensors");
  write_safetensors(folder_ / "x.safetensors", {{{"x", filled("input.x", {3, 3, 72, 56})}}, {}});
  const auto end = erf({file, "--input", folder_ / "x.safetensors", "--batch", "2", "--maps",
                        folder_ / "maps.safetensors"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto python = run({WF_PYTHON, WF_SOURCE_DIR "/tests/tools/erf_in_python.py", file,
                           folder_ / "x.safetensors", folder_ / "python.safetensors"});
  ASSERT_EQ(python.code, 0) << python.err;
  const auto maps = read_safetensors(folder_ / "maps.safetensors").tensors;
  const auto want = read_safetensors(folder_ / "python.safetensors").tensors.at("map");
  expect_close(maps.at("after.0"), want, 1e-5, "map");
  EXPECT_GT(relative_error(maps.at("before.0"), want), 0.1) << "random weights have another field";
}

TEST_F(WfErf, TheUntrainedModelHasADrawingAndATable) {
  const auto end = erf({"--opts", "MODEL.NAME", "wfm_nano", "DATA.IMG_SIZE", "64", "--count", "3",
                        "--output", folder_ / "field.svg", "--json", folder_ / "field.json"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("bilateral / adaptive   before"), std::string::npos) << end.out;
  const auto json = Json::parse(read_file(folder_ / "field.json"));
  EXPECT_EQ(json["images"], 3);
  EXPECT_EQ(json["width"], 64);
  const auto areas = json["columns"][0]["before"]["areas"];
  EXPECT_LT(areas["0.2"].get<double>(), areas["0.5"].get<double>());
  EXPECT_LE(areas["0.99"].get<double>(), 1);
  EXPECT_FALSE(json["columns"][0].contains("after"));
  const auto svg = read_file(folder_ / "field.svg");
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  EXPECT_NE(svg.find("href=\"data:image/png;base64,"), std::string::npos);
  EXPECT_EQ(svg.find("after training"), std::string::npos);
}

TEST_F(WfErf, Figure3HasAColumnForEachPredictorAndPutsWeightsIntoTheirs) {
  const auto end =
      erf({weights("a.safetensors", "gap", "static"), weights("b.safetensors"), "--figure3",
           "--count", "1", "--output", folder_ / "sheet.png", "--json", folder_ / "sheet.json"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto json = Json::parse(read_file(folder_ / "sheet.json"));
  std::map<std::string, bool> trained;
  for (const auto& column : json["columns"]) {
    trained[column["title"].get<std::string>()] = column.contains("after");
  }
  const std::map<std::string, bool> want{
      {"static / static", false},    {"gap / static", true},        {"linear / static", false},
      {"nonlinear / static", false}, {"deep / static", false},      {"bilateral / static", false},
      {"static / gap", false},       {"static / adaptive", false},  {"static / amp-dir", false},
      {"static / conv", false},      {"bilateral / adaptive", true}};
  EXPECT_EQ(trained, want);
  const auto image = cv::imread(folder_ / "sheet.png");
  EXPECT_GT(image.cols, 11 * 132);
  EXPECT_GT(image.rows, 2 * 132);
}

TEST_F(WfErf, ImagesAreReadAsInEvaluation) {
  const auto file = weights("w.safetensors");
  const auto end = erf({file, "--images", golden_path("images/photo.bmp"),
                        golden_path("images/rgb_420.jpg"), "--json", folder_ / "a.json"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(Json::parse(read_file(folder_ / "a.json"))["images"], 2);
}

TEST_F(WfErf, BadInputIsAnsweredInOneLine) {
  const auto expect_error = [&](const Words& flags, const std::string& message) {
    const auto end = erf(flags);
    EXPECT_EQ(end.code, 2) << end.out;
    EXPECT_EQ(end.err, "error: " + message + "\n");
  };
  const auto file = weights("w.safetensors");
  expect_error({"--output", "a.pdf"}, "a.pdf: the name of a drawing must end in .svg or .png");
  expect_error({file, file, "--figure3", "--count", "1"},
               file +
                   ": --figure3 has no column, or one file more, for the predictors bilateral / "
                   "adaptive");
  expect_error({"--opts", "MODEL.NAME", "wfm_nano", "MODEL.LINEAR_PREDICTOR", "quadratic"},
               "unknown linear predictor 'quadratic': known: static, gap, linear, nonlinear, deep, "
               "bilateral");
  expect_error({"--opts", "MODEL.TYPE", "wfm_dit", "MODEL.NAME", "dit_nano"},
               "MODEL.TYPE is wfm_dit, and wf_erf is for classifiers (wfm)");
  write_safetensors(folder_ / "y.safetensors", {{{"x", torch::zeros({3, 64, 64})}}, {}});
  expect_error({file, "--input", folder_ / "y.safetensors"},
               (folder_ / "y.safetensors") + ": expected x with shape [B, 3, H, W]");
}

}  // namespace
}  // namespace wf::testing

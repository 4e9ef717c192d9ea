// report.html of runs on several ranks, and of diffusion runs.

#include "support/browser.h"
#include "support/dit_run.h"
#include "support/process.h"
#include "support/ranks.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include <regex>

namespace wf::testing {
namespace {

using Json = nlohmann::json;

// A run that learns nothing, so that its validation does not depend on the number of ranks.
class ReportOfRanks : public ::testing::Test {
 protected:
  Json validation(int ranks) {
    const auto tag = std::to_string(ranks);
    const auto ended =
        Ranks(ranks, {program("wf_train"), "--cfg", folder_ / "run.yaml", "--data-path",
                      folder_ / "data", "--output", folder_ / "out", "--tag", tag})
            .wait();
    for (const auto& rank : ended) EXPECT_EQ(rank.code, 0) << told(ended);
    const auto directory = folder_ / ("out/wfm_nano/" + tag);
    EXPECT_NE(read_file(directory + "/report.html").find("Images with the largest loss"),
              std::string::npos);
    return Json::parse(read_file(directory + "/validation.json"));
  }
  void write_data(int validation_images) {
    write_file(folder_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 4, NUM_WORKERS: 1, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {STEPS: 1, WARMUP_EPOCHS: 0, BASE_LR: 0, MIN_LR: 0}
DEVICE: cpu
THREADS: 1
)");
    write_toy_folder(folder_ / "data", /*train=*/12, validation_images, /*side=*/16);
  }
  static void expect_same_worst(const Json& one, const Json& many, size_t count) {
    ASSERT_EQ(one["worst"].size(), count);
    ASSERT_EQ(many["worst"].size(), count);
    for (size_t i = 0; i < count; ++i) {
      const auto &a = one["worst"][i], &b = many["worst"][i];
      for (const char* key : {"name", "truth", "predicted", "image"}) EXPECT_EQ(a[key], b[key]);
      EXPECT_NEAR(a["loss"].get<double>(), b["loss"].get<double>(), 1e-5);
      EXPECT_NEAR(a["probability"].get<double>(), b["probability"].get<double>(), 1e-5);
      EXPECT_LE(b["loss"], many["worst"][i > 0 ? i - 1 : 0]["loss"]) << "the largest first";
    }
    EXPECT_EQ(one["confusion"], many["confusion"]);
  }
  TempDir folder_;
};

TEST_F(ReportOfRanks, TheWorstImagesAreThoseOfAllRanks) {
  write_data(31);  // an odd number: the ranks have parts of different sizes
  expect_same_worst(validation(1), validation(2), 20);
}

TEST_F(ReportOfRanks, RanksWithFewImagesAddOnlyThose) {
  write_data(7);
  expect_same_worst(validation(1), validation(3), 7);
}

class ReportOfDiffusion : public DitRun {
 protected:
  void SetUp() override {
    DitRun::SetUp();
    const auto end = run(command("a", {"SEED", "1"}));
    ASSERT_EQ(end.code, 0) << end.err;
  }
};

TEST_F(ReportOfDiffusion, HasTheCurvesAndSettingsAndNothingOfClassifiers) {
  const auto page = read_file(file("a", "report.html"));
  EXPECT_LE(page.size(), 2'000'000u);
  const std::regex outside(R"((src|href)\s*=\s*["'](?!data:)|url\(|@import|fetch\()");
  EXPECT_FALSE(std::regex_search(page, outside));
  for (const char* part :
       {"<h1>dit_nano/a</h1>", "12 optimizer steps", "Training loss by step", "Validation loss",
        "<code>DIFFUSION.TIMESTEPS</code>", "loss_aware", "<code>TRAIN.EMA_DECAY</code>"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  for (const char* part : {"Confusions of", "largest loss", "top-1", ">nan", "NaN"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
}

TEST_F(ReportOfDiffusion, ShowsTheCurvesOfTwoRunsInABrowser) {
  if (browser().empty()) GTEST_SKIP() << "no chromium, chromium-headless-shell or google-chrome";
  ASSERT_EQ(run(command("b", {"SEED", "2"})).code, 0);
  const auto compared = run({program("wf_report"), "--html", directory_ / "out/dit_nano/a",
                             directory_ / "out/dit_nano/b", "--output", directory_ / "both"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const auto shot = directory_ / "page.png";
  const auto end = open_page(directory_ / "both/report.html", directory_ / "profile",
                             {"--screenshot=" + shot, "--window-size=1280,2000"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto image = cv::imread(shot);
  ASSERT_EQ(image.cols, 1280) << end.err;
  EXPECT_GT(pixels_of(image, {187, 111, 42}), 200) << "the curves of the first run";
  EXPECT_GT(pixels_of(image, {32, 107, 221}), 200) << "and of the second";
}

}  // namespace
}  // namespace wf::testing

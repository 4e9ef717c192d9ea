// report.html in a browser: the page is rendered, used and looked at.

#include "support/browser.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

#include <filesystem>
#include <regex>

namespace wf::testing {
namespace {

class ReportInABrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "run.yaml", R"(
DATA: {IMG_SIZE: 16, BATCH_SIZE: 8, NUM_WORKERS: 1, CACHE_LISTING: false}
MODEL: {NAME: wfm_nano, PATCH_SIZE: 4, NUM_CLASSES: 2}
TRAIN: {EPOCHS: 3, WARMUP_EPOCHS: 1, EMA_DECAY: 0.9}
PRINT_FREQ: 1
DEVICE: cpu
THREADS: 1
)");
    write_toy_folder(folder_ / "data", /*train=*/64, /*val=*/30, /*side=*/16);
    for (const char* tag : {"a", "b"}) {
      const auto end = run({program("wf_train"), "--cfg", folder_ / "run.yaml", "--data-path",
                            folder_ / "data", "--output", folder_ / "out", "--tag", tag, "--opts",
                            "SEED", *tag == 'a' ? "1" : "2"});
      ASSERT_EQ(end.code, 0) << end.err;
    }
  }
  std::string directory(const std::string& tag) const { return folder_ / ("out/wfm_nano/" + tag); }

  Finished open(const std::string& page, const std::vector<std::string>& how) const {
    return open_page(page, folder_ / "profile", how);
  }

  TempDir folder_;
};

TEST_F(ReportInABrowser, EachRunHasOneThatNeedsNothingElse) {
  const auto page = read_file(directory("a") + "/report.html");
  ASSERT_FALSE(page.empty());
  EXPECT_LE(page.size(), 2'000'000u);
  const std::regex outside(R"((src|href)\s*=\s*["'](?!data:)|url\(|@import|fetch\()");
  EXPECT_FALSE(std::regex_search(page, outside));
  EXPECT_NE(page.find("3 epochs, 24 optimizer steps"), std::string::npos);
}

TEST_F(ReportInABrowser, CurvesButtonsAndValuesUnderThePointerWork) {
  if (browser().empty()) GTEST_SKIP() << "no chromium, chromium-headless-shell or google-chrome";
  // A copy whose script presses the first button and points at the middle of the first chart.
  auto page = read_file(directory("a") + "/report.html");
  const std::string actions = R"(<script>
    document.querySelector('.toggle').click();
    const chart = document.querySelector('svg.chart'), frame = chart.getBoundingClientRect();
    chart.dispatchEvent(new MouseEvent('mousemove', {bubbles: true,
      clientX: frame.left + frame.width / 2, clientY: frame.top + frame.height / 2}));
  </script></body>)";
  page.replace(page.rfind("</body>"), 7, actions);
  write_file(folder_ / "used.html", page);
  const auto end = open(folder_ / "used.html", {"--dump-dom"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("<g class=\"linear\" display=\"none\">"), std::string::npos);
  EXPECT_NE(end.out.find("<g class=\"log\" display=\"inline\">"), std::string::npos);
  const std::regex tip(
      R"(class="tip"[^>]*display: block[^>]*><div>epoch 2</div>.*training: [\d.]+)");
  EXPECT_TRUE(std::regex_search(end.out, tip));
  EXPECT_NE(end.out.find("<circle"), std::string::npos);
}

TEST_F(ReportInABrowser, ThePageShowsChartsConfusionsAndImages) {
  if (browser().empty()) GTEST_SKIP() << "no chromium, chromium-headless-shell or google-chrome";
  const auto compared = run({program("wf_report"), "--html", directory("a"), directory("b"),
                             "--output", folder_ / "both"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  for (const auto& page : {directory("a") + "/report.html", folder_ / "both/report.html"}) {
    const auto file = folder_ / "page.png";
    const auto end = open(page, {"--screenshot=" + file, "--window-size=1280,3000"});
    ASSERT_EQ(end.code, 0) << end.err;
    const auto image = cv::imread(file);
    ASSERT_EQ(image.cols, 1280) << end.err;
    const bool one = page.find("/a/") != std::string::npos;
    // The first two colors of the curves, and the blue and red of the confusion matrix.
    EXPECT_GT(pixels_of(image, {187, 111, 42}), 400) << page;
    EXPECT_GT(pixels_of(image, {32, 107, 221}), 200) << page;
    EXPECT_GT(pixels_of(image, {255, 255, 255}), 100'000) << "the boxes are white";
    if (!one) continue;
    EXPECT_GT(pixels_of(image, {48, 60, 214}) + pixels_of(image, {187, 111, 42}), 1000);
  }
}

}  // namespace
}  // namespace wf::testing

// wf_explain as a process, and its page in a browser.

#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include "support/browser.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include <regex>
#include <sstream>

namespace wf::testing {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

class WfExplain : public ::testing::Test {
 protected:
  std::string weights(const std::string& linear, const std::string& conv) {
    const auto model = make_classifier(classifier_options("wfm_nano")
                                           .num_classes(4)
                                           .linear_predictor(linear)
                                           .conv_predictor(conv));
    fill_parameters(*model);
    const Json settings{{"MODEL.NAME", "wfm_nano"},
                        {"MODEL.NUM_CLASSES", "4"},
                        {"DATA.IMG_SIZE", "64"},
                        {"MODEL.LINEAR_PREDICTOR", linear},
                        {"MODEL.CONV_PREDICTOR", conv}};
    write_safetensors(folder_ / "w.safetensors",
                      {state_dict(*model),
                       {{kSettingsMetadata, settings.dump()},
                        {"classes", R"(["cat", "<dog>", "coat", "bag"])"}}});
    return folder_ / "w.safetensors";
  }
  Finished explain(const std::string& linear, const std::string& conv, Words flags = {}) {
    flags.insert(flags.begin(), {program("wf_explain"), golden_path("images/photo.bmp"),
                                 golden_path("images/rgb_420.jpg"), "--resume",
                                 weights(linear, conv), "--output", folder_ / "page.html"});
    return run(flags);
  }
  std::string page() const { return read_file(folder_ / "page.html"); }
  TempDir folder_;
};

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(WfExplain, OnePageShowsBothImagesAndNeedsNothingElse) {
  const auto end = explain("bilateral", "adaptive", {"--top", "2"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto text = page();
  EXPECT_LE(text.size(), 1'000'000u);
  const std::regex outside(R"((src|href)\s*=\s*["'](?!data:)|url\(|@import|fetch\()");
  EXPECT_FALSE(std::regex_search(text, outside));
  EXPECT_EQ(count_of(text, "class=\"over\""), 4u) << "two maps for each image";
  EXPECT_EQ(count_of(text, "class=\"kernels\""), 2u * 3) << "two blocks: static and two images";
  EXPECT_EQ(count_of(text, "<h2>Block "), 2u);
  EXPECT_NE(text.find("<h2>Block 4"), std::string::npos);
  EXPECT_EQ(text.find("<dog>"), std::string::npos) << "names are escaped";
}

TEST_F(WfExplain, TheTableAddsUpAndAgreesWithWfInfer) {
  ASSERT_EQ(explain("bilateral", "adaptive", {"--top", "4"}).code, 0);
  const auto text = page();
  const std::regex row(
      R"(<tr><td>([^<]*)</td><td class="n">([-\d.]+) %</td><td class="n">([-\d.]+)</td>)"
      R"(<td class="n">([-\d.]+)</td><td class="n">([-\d.]+)</td></tr>)");
  std::vector<std::smatch> rows(std::sregex_iterator(text.begin(), text.end(), row), {});
  ASSERT_EQ(rows.size(), 8u);
  const auto infer =
      run({program("wf_infer"), folder_ / "w.safetensors", golden_path("images/photo.bmp"),
           golden_path("images/rgb_420.jpg"), "--json", "--top", "4"});
  std::istringstream lines(infer.out);
  for (size_t i = 0; i < 2; ++i) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    const auto top = Json::parse(line)["top"];
    for (size_t k = 0; k < 4; ++k) {
      const auto& match = rows[4 * i + k];
      EXPECT_NEAR(std::stod(match[3]) + std::stod(match[4]), std::stod(match[5]), 1.6e-4);
      EXPECT_NEAR(std::stod(match[2]), 100 * top[k]["probability"].get<double>(), 6e-3);
      const auto name = top[k]["class"].get<std::string>();
      EXPECT_EQ(match[1], name == "<dog>" ? "&lt;dog&gt;" : name);
    }
  }
}

TEST_F(WfExplain, StaticLayersAreNamedAsSuch) {
  ASSERT_EQ(explain("static", "static").code, 0);
  EXPECT_EQ(count_of(page(), "Nothing is predicted: the convolution is static."), 2u * 2);
  EXPECT_EQ(page().find("class=\"chart\""), std::string::npos);
}

TEST_F(WfExplain, TheButtonsChooseTheClassWhoseEvidenceIsShown) {
  if (browser().empty()) GTEST_SKIP() << "no chromium, chromium-headless-shell or google-chrome";
  ASSERT_EQ(explain("bilateral", "adaptive").code, 0);
  auto text = page();
  const std::string actions = R"(<script>
    document.querySelectorAll('.evidence')[0].querySelectorAll('.pick')[1].click();
    const last = document.querySelectorAll('.evidence')[1].querySelectorAll('.pick')[0];
    last.click();
  </script></body>)";
  text.replace(text.rfind("</body>"), 7, actions);
  write_file(folder_ / "used.html", text);
  const auto end = open_page(folder_ / "used.html", folder_ / "profile", {"--dump-dom"});
  ASSERT_EQ(end.code, 0) << end.err;
  const std::regex over(R"re(<img class="over"[^>]*?( hidden="")?>)re");
  std::vector<bool> hidden;
  for (std::sregex_iterator it(end.out.begin(), end.out.end(), over), last; it != last; ++it) {
    hidden.push_back(it->str().find("hidden=\"\"") != std::string::npos);
  }
  // Of the first image the second class is shown, of the second image nothing any more.
  EXPECT_EQ(hidden, (std::vector<bool>{true, false, true, true, true, true}));
}

TEST_F(WfExplain, ThePageShowsEvidenceKernelsAndCurves) {
  if (browser().empty()) GTEST_SKIP() << "no chromium, chromium-headless-shell or google-chrome";
  ASSERT_EQ(explain("bilateral", "adaptive").code, 0);
  const auto file = folder_ / "page.png";
  const auto end = open_page(folder_ / "page.html", folder_ / "profile",
                             {"--screenshot=" + file, "--window-size=1280,2600"});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto image = cv::imread(file);
  ASSERT_EQ(image.cols, 1280) << end.err;
  EXPECT_GT(pixels_of(image, {187, 111, 42}), 400) << "the first curve";
  EXPECT_GT(pixels_of(image, {255, 255, 255}), 100'000) << "the boxes are white";
}

TEST_F(WfExplain, BadInputIsAnsweredInOneLine) {
  const auto expect_error = [&](Words flags, const std::string& message) {
    flags.insert(flags.begin(), program("wf_explain"));
    const auto end = run(flags);
    EXPECT_EQ(end.code, 2) << end.out;
    EXPECT_EQ(end.err, "error: " + message + "\n");
  };
  const auto file = weights("bilateral", "adaptive"), image = golden_path("images/photo.bmp");
  expect_error({image, image, image, image, image, image, image, image, image, "--resume", file},
               "9 images: wf_explain shows at most 8 side by side");
  const auto end = run({program("wf_explain"), golden_path("images_bad/text.jpg"), "--resume", file,
                        "--output", folder_ / "none.html"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("text.jpg"), std::string::npos) << end.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none.html"));
}

}  // namespace
}  // namespace wf::testing

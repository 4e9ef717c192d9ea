#include "config/describe.h"
#include "config/load.h"
#include "engine/report/confusion.h"
#include "engine/report/report_page.h"
#include "engine/report/svg_chart.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace wf::testing {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(SvgChart, DrawsEachCurveOnBothAxesAndKeepsItsValues) {
  const Chart chart{"Loss & more", "epoch", {{"a<b", {1, 2, 3}, {0.5, 0.25, 0.125}, 0}}};
  const auto svg = svg_chart(chart);
  EXPECT_NE(svg.find("Loss &amp; more"), std::string::npos);
  EXPECT_NE(svg.find("data-name=\"a&lt;b\""), std::string::npos);
  EXPECT_NE(svg.find("data-x=\"1 2 3\" data-y=\"0.5 0.25 0.125\""), std::string::npos);
  EXPECT_EQ(count(svg, "class=\"curve\""), 2u);
  // On the logarithmic axis halves are equal distances.
  const auto log = svg.substr(svg.find("<g class=\"log\""));
  double x[3], y[3];
  const auto path = log.substr(log.find("class=\"curve\" d=\"M") + 18);
  ASSERT_EQ(std::sscanf(path.c_str(), "%lf %lfL%lf %lfL%lf %lf", x, y, x + 1, y + 1, x + 2, y + 2),
            6)
      << path;
  EXPECT_NEAR(y[1] - y[0], y[2] - y[1], 0.11);
  EXPECT_GT(y[1], y[0]) << "down is smaller";
}

TEST(SvgChart, ValuesThatAreNotFiniteLeaveAGapAndZerosHaveNoLogarithmicAxis) {
  const double nan = std::nan("");
  const auto svg = svg_chart({"t", "x", {{"a", {1, 2, 3, 4}, {0, nan, 2, 3}, 0}}});
  EXPECT_EQ(svg.find("class=\"log\""), std::string::npos);
  const auto path = svg.substr(svg.find("class=\"curve\" d=\"") + 17);
  EXPECT_EQ(count(path.substr(0, path.find('"')), "M"), 2u);
  for (const std::vector<double>& y : {std::vector<double>{}, {nan}, {7}}) {
    const auto chart = svg_chart({"t", "x", {{"a", std::vector<double>(y.size(), 1), y, 0}}});
    EXPECT_EQ(chart.find("nan"), std::string::npos) << chart;
    EXPECT_EQ(chart.find("inf"), std::string::npos) << chart;
  }
}

TEST(SvgChart, ALongCurveIsThinnedByMeans) {
  Curve curve{"a", {}, {}, 0};
  for (int i = 0; i < 4000; ++i) {
    curve.x.push_back(i);
    curve.y.push_back(i % 2);
  }
  const auto svg = svg_chart({"t", "x", {curve}});
  EXPECT_LT(svg.size(), 40'000u);
  EXPECT_NE(svg.find("data-y=\"0.5 0.5 0.5"), std::string::npos);
}

TEST(SvgChart, NumbersAreShort) {
  const std::pair<double, const char*> cases[] = {
      {0, "0"},        {0.00012, "0.00012"}, {1234, "1234"}, {12345, "12.3k"},
      {2.5e6, "2.5M"}, {-3.14159, "-3.14"},  {1e-7, "1e-07"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(short_number(value), text);
}

TEST(ConfusionTable, RanksPairsAndShowsTheWorstOfManyClasses) {
  nlohmann::json validation;
  for (int i = 0; i < 60; ++i) validation["classes"].push_back("class " + std::to_string(i));
  // Class i has i errors, as class 0, and 100 images.
  for (int i = 0; i < 60; ++i) {
    validation["confusion"].push_back({i, i, 100 - i});
    if (i > 0) validation["confusion"].push_back({i, 0, i});
  }
  const Confusion confusion(validation);
  const auto pairs = confusion.most_confused(3);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].truth, "class 59");
  EXPECT_EQ(pairs[0].predicted, "class 0");
  EXPECT_EQ(pairs[0].count, 59);
  EXPECT_EQ(pairs[0].images, 100);
  const auto svg = confusion.svg();
  EXPECT_EQ(count(svg, "<title>"), 40u) << "0 is not among the 40 worst, so only the diagonal";
  EXPECT_NE(svg.find("class 59 → class 59: 41 (41.0 %)"), std::string::npos);
  EXPECT_EQ(svg.find(">class 3<"), std::string::npos);
  validation["confusion"].push_back({0, 60, 1});
  EXPECT_TRUE(has(error_of([&] { Confusion{validation}; }),
                  "a confusion of class 0 with 60, and there are 60 classes"));
}

class ReportPageTest : public ::testing::Test {
 protected:
  std::string run(const std::string& name, const std::vector<std::string>& settings,
                  int epochs = 3) {
    const auto directory = folder_ / name;
    std::string lines;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      lines += str("{\"step\":", epoch, ",\"epoch\":", epoch,
                   ",\"loss\":1.5,\"lr\":0.001,\"grad_norm\":2,\"images_per_s\":100,"
                   "\"data_wait\":0.25,\"memory_mib\":512}\n{\"epoch\":",
                   epoch, ",\"step\":", epoch, ",\"train_loss\":", 2 - 0.5 * epoch,
                   ",\"val_loss\":1.0,\"val_acc1\":", epoch % 2 ? "60.0" : "50.0",
                   ",\"val_images\":30,\"val_ema_acc1\":44,\"images_per_s\":100,"
                   "\"data_wait\":0.25}\n");
    }
    write_file(directory + "/metrics.jsonl", lines + "{\"epoch\":9");
    write_file(directory + "/config.yaml", dump_yaml(load_config("", settings)));
    return directory;
  }

  TempDir folder_;
};

TEST_F(ReportPageTest, OfARunHasFiguresCurvesConfusionsImagesAndSettings) {
  const auto directory = run("net/first", {"TRAIN.BASE_LR", "0.125", "SEED", "7"});
  ValidationDetails details;
  details.classes = {"<cat>", "dog"};
  details.confusion = torch::tensor({{8, 2}, {0, 5}}, torch::kLong);
  details.worst.push_back(
      {"a/\xff.png", "<cat>", "dog", 3.5, 0.875, torch::full({3, 8, 8}, 200, torch::kByte)});
  write_validation_file(directory, details, 2, 3);
  const auto page = report_page({read_run(directory)});
  for (const char* part :
       {"<h1>net/first</h1>", "3 epochs", "60.00 %", "Validation top-1, %, epoch 2", "25.0 %",
        "512 MiB", "Training loss by step", "validation after epoch 3",
        "&lt;cat&gt; → dog: 2 (20.0 %)", "src=\"data:image/png;base64,iVBOR", "loss 3.50",
        "<code>TRAIN.BASE_LR</code>", "<code>0.125</code>", "<code>5e-04</code>",
        "<code>SEED</code>"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(page.find("<cat>"), std::string::npos) << "names are escaped";
  EXPECT_EQ(page.find("<code>TRAIN.EPOCHS</code>"), std::string::npos) << "a default";
  EXPECT_EQ(page.find("val_images"), std::string::npos);
  EXPECT_LT(page.size(), 200'000u);
}

TEST_F(ReportPageTest, OfSeveralRunsHasOneCurveForEachAndTheSettingsThatDiffer) {
  const auto a = run("net/a", {"SEED", "7"}), b = run("net/b", {"SEED", "8"}, 5);
  const auto page = report_page({read_run(a), read_run(b)});
  const auto chart = page.substr(page.find("Training loss by step"));
  EXPECT_EQ(count(chart.substr(0, chart.find("</svg>")), "<desc"), 2u);
  EXPECT_NE(page.find("<code>SEED</code></td><td><code>7</code></td><td><code>8</code>"),
            std::string::npos);
  EXPECT_EQ(page.find("<code>TRAIN.EPOCHS</code>"), std::string::npos);
  EXPECT_NE(page.find("60.00 % (epoch 4)"), std::string::npos);
}

TEST_F(ReportPageTest, NeedsARunDirectory) {
  EXPECT_TRUE(has(error_of([&] { read_run(folder_ / "none"); }),
                  "metrics.jsonl: cannot be read: is this the directory"));
  write_file(folder_ / "r/metrics.jsonl", "{}\nnonsense\n{}\n");
  EXPECT_TRUE(
      has(error_of([&] { read_run(folder_ / "r"); }), "metrics.jsonl:2: not a JSON object"));
}

}  // namespace
}  // namespace wf::testing

#include "weightformer/core/check.h"

#include "chart.h"
#include "json_lines.h"
#include "report.h"

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

namespace wf {
namespace {

struct Prediction {
  cv::Mat image;
  std::string truth, said;
  double probability = 0;
};

std::vector<Prediction> read_predictions(const std::string& path) {
  std::vector<Prediction> predictions;
  for_each_json_line(path, [&](const nlohmann::json& line) {
    const std::string file = line.at("image");
    const auto& best = line.at("top").at(0);
    Prediction prediction{cv::imread(file, cv::IMREAD_COLOR),
                          std::filesystem::path(file).parent_path().filename().string(),
                          best.at("class"), best.at("probability")};
    WF_CHECK(!prediction.image.empty(), file, ": cannot be read");
    predictions.push_back(std::move(prediction));
  });
  return predictions;
}

// One image with its caption: right predictions in green, wrong ones in red with the true class.
void draw_cell(cv::Mat& canvas, cv::Point at, int side, const Prediction& prediction) {
  cv::Mat scaled;
  cv::resize(prediction.image, scaled, {side, side}, 0, 0, cv::INTER_CUBIC);
  scaled.copyTo(canvas(cv::Rect(at.x, at.y, side, side)));
  const bool correct = prediction.said == prediction.truth;
  const cv::Scalar color = correct ? cv::Scalar(60, 140, 50) : cv::Scalar(50, 50, 210);
  cv::rectangle(canvas, cv::Rect(at.x, at.y, side, side), color, 2);
  const auto write = [&](const std::string& text, int below, const cv::Scalar& ink) {
    const double size = 0.4 * std::min(1.0, (side + 10.0) / text_width(text, 0.4));
    draw_text(canvas, text, {at.x, at.y + side + below}, size, ink);
  };
  write(fmt::format("{} {:.0f}%", prediction.said, 100 * prediction.probability), 16, color);
  if (!correct) write("is " + prediction.truth, 32, kInk);
}

}  // namespace

void draw_contact_sheet(const std::string& predictions, const std::string& path) {
  constexpr int kColumns = 8, kSide = 112, kGap = 20, kCaption = 46, kHead = 44;
  const auto all = read_predictions(predictions);
  const int count = static_cast<int>(all.size()), rows = (count + kColumns - 1) / kColumns;
  cv::Mat canvas(kHead + rows * (kSide + kCaption), kGap + kColumns * (kSide + kGap), CV_8UC3,
                 kWhite);
  for (int i = 0; i < count; ++i) {
    const cv::Point at(kGap + i % kColumns * (kSide + kGap),
                       kHead + i / kColumns * (kSide + kCaption));
    draw_cell(canvas, at, kSide, all[i]);
  }
  const auto right =
      std::count_if(all.begin(), all.end(), [](const Prediction& p) { return p.said == p.truth; });
  const auto summary = fmt::format("What the model says: {} of {} right ({:.1f} %)", right, count,
                                   100.0 * static_cast<double>(right) / count);
  draw_text(canvas, summary, {kGap, 28}, 0.6);
  save(canvas, path);
  std::cout << summary << "\n";
}

}  // namespace wf

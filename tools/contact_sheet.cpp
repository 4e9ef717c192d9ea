#include "weightformer/core/check.h"

#include "ascii.h"
#include "caption.h"
#include "json_lines.h"
#include "report.h"

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <vector>

namespace wf {
namespace {

constexpr int kColumns = 8, kMaxRows = 25, kSide = 112, kGap = 20, kCaption = 46, kHead = 44;

struct Prediction {
  std::string file, name;
  std::optional<std::string> truth;
  double probability = 0;
};

// The label of wf_infer; in lines of other programs, without a label, the directory of the image.
std::optional<std::string> truth_of(const nlohmann::json& line, const std::filesystem::path& file) {
  if (!line.contains("label")) return file.parent_path().filename().string();
  if (line["label"].is_null()) return std::nullopt;
  return line["label"].get<std::string>();
}

std::vector<Prediction> read_predictions(const std::string& path) {
  std::vector<Prediction> predictions;
  for_each_json_line(path, [&](const nlohmann::json& line) {
    const std::string file = line.at("image");
    const auto& best = line.at("top").at(0);
    predictions.push_back({file, best.at("class"), truth_of(line, file), best.at("probability")});
  });
  return predictions;
}

// One image and its caption: correct in green, wrong in red with the true class, else in gray.
void draw_cell(cv::Mat& canvas, cv::Point at, const Prediction& prediction) {
  const auto image = cv::imread(prediction.file, cv::IMREAD_COLOR);
  WF_CHECK(!image.empty(), prediction.file, ": cannot be read");
  cv::Mat scaled;
  cv::resize(image, scaled, {kSide, kSide}, 0, 0, cv::INTER_CUBIC);
  scaled.copyTo(canvas(cv::Rect(at.x, at.y, kSide, kSide)));
  const auto& truth = prediction.truth;
  const bool wrong = truth && prediction.name != *truth;
  const auto color = !truth ? kInk : wrong ? cv::Scalar(50, 50, 210) : cv::Scalar(60, 140, 50);
  cv::rectangle(canvas, cv::Rect(at.x, at.y, kSide, kSide), color, 2);
  const auto write = [&](const std::string& text, int below, const cv::Scalar& ink) {
    const double size = 0.4 * std::min(1.0, (kSide + 10.0) / text_width(text, 0.4));
    draw_text(canvas, text, {at.x, at.y + kSide + below}, size, ink);
  };
  write(fmt::format("{} {:.0f}%", ascii(prediction.name), 100 * prediction.probability), 16, color);
  if (wrong) write("is " + ascii(*truth), 32, kInk);
}

std::string summarize(const std::vector<Prediction>& all) {
  int64_t labelled = 0, right = 0;
  for (const auto& prediction : all) {
    labelled += prediction.truth.has_value();
    right += prediction.truth == prediction.name;
  }
  const auto others = static_cast<int64_t>(all.size()) - labelled;
  std::string text = "Predictions";
  if (labelled > 0) {
    text += fmt::format(": {} of {} correct ({:.1f} %)", right, labelled,
                        100.0 * static_cast<double>(right) / static_cast<double>(labelled));
  }
  if (others > 0) {
    text += fmt::format("{} {} images without a label", labelled > 0 ? "," : " for", others);
  }
  return text;
}

}  // namespace

void draw_contact_sheet(const std::string& predictions, const std::string& path) {
  const auto all = read_predictions(predictions);
  const int count = static_cast<int>(std::min<size_t>(all.size(), kColumns * kMaxRows));
  const int rows = (count + kColumns - 1) / kColumns, width = kGap + kColumns * (kSide + kGap);
  cv::Mat canvas(kHead + rows * (kSide + kCaption), width, CV_8UC3, kWhite);
  for (int i = 0; i < count; ++i) {
    const int row = i / kColumns, column = i % kColumns;
    draw_cell(canvas, {kGap + column * (kSide + kGap), kHead + row * (kSide + kCaption)}, all[i]);
  }
  auto summary = summarize(all);
  if (all.size() > kColumns * kMaxRows) summary += fmt::format("; the sheet has {}", count);
  draw_text(canvas, summary, {kGap, 28}, 0.6);
  save(canvas, path);
  std::cout << summary << "\n";
}

}  // namespace wf

// Draws a run: its learning curve, and pictures with what the model says of them. See --help.

#include "weightformer/core/check.h"

#include "chart.h"
#include "tool.h"

#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

using namespace wf;
using nlohmann::json;
namespace fs = std::filesystem;

// The JSON objects of a file, one a line. A last line that was cut short is left out.
std::vector<json> read_lines(const std::string& path) {
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot open");
  std::vector<json> lines;
  int number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    auto value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (value.is_object()) {
      lines.push_back(std::move(value));
    } else {
      WF_CHECK(in.peek() == EOF, path, ":", number, ": not a JSON object");
      std::cerr << path << ":" << number << ": the last line is cut short, left out\n";
    }
  }
  WF_CHECK(!lines.empty(), path, ": nothing in it");
  return lines;
}

void save(const cv::Mat& picture, const std::string& path) {
  WF_CHECK(cv::imwrite(path, picture), path, ": cannot write");
  std::cout << path << "\n";
}

void draw_learning_curve(const std::string& metrics, const std::string& path) {
  Series train{"training", {190, 120, 40}, {}}, val{"validation", {60, 120, 230}, {}};
  Series top1{"top-1", {60, 140, 50}, {}};
  for (const auto& line : read_lines(metrics)) {
    train.values.push_back(line.at("train_loss"));
    val.values.push_back(line.at("val_loss"));
    top1.values.push_back(line.at("val_acc1"));
  }
  cv::Mat canvas(460, 1200, CV_8UC3, kWhite);
  draw_chart(canvas, {0, 0, 600, 460}, "Loss", {train, val});
  draw_chart(canvas, {600, 0, 600, 460}, "Validation accuracy, percent", {top1});
  save(canvas, path);
}

// One picture with its caption: right answers in green, wrong ones in red with the true class.
void draw_cell(cv::Mat& canvas, cv::Point at, int side, const json& answer, int& right) {
  const std::string file = answer.at("image");
  const std::string truth = fs::path(file).parent_path().filename().string();
  const auto& best = answer.at("top").at(0);
  const std::string said = best.at("class");
  const cv::Mat picture = cv::imread(file, cv::IMREAD_COLOR);
  WF_CHECK(!picture.empty(), file, ": cannot be read");
  cv::Mat scaled;
  cv::resize(picture, scaled, {side, side}, 0, 0, cv::INTER_CUBIC);
  scaled.copyTo(canvas(cv::Rect(at.x, at.y, side, side)));
  const bool correct = said == truth;
  right += correct;
  const cv::Scalar color = correct ? cv::Scalar(60, 140, 50) : cv::Scalar(50, 50, 210);
  cv::rectangle(canvas, cv::Rect(at.x, at.y, side, side), color, 2);
  char chance[16];
  std::snprintf(chance, sizeof(chance), " %.0f%%", 100 * best.at("probability").get<double>());
  draw_text(canvas, said + chance, {at.x, at.y + side + 16}, 0.4, color);
  if (!correct) draw_text(canvas, "is " + truth, {at.x, at.y + side + 32}, 0.4);
}

void draw_contact_sheet(const std::string& predictions, const std::string& path) {
  constexpr int kColumns = 8, kSide = 112, kGap = 20, kCaption = 38, kHead = 44;
  const auto answers = read_lines(predictions);
  const int rows = (static_cast<int>(answers.size()) + kColumns - 1) / kColumns;
  cv::Mat canvas(kHead + rows * (kSide + kCaption) + kGap, kGap + kColumns * (kSide + kGap),
                 CV_8UC3, kWhite);
  int right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const int row = static_cast<int>(i) / kColumns, column = static_cast<int>(i) % kColumns;
    draw_cell(canvas, {kGap + column * (kSide + kGap), kHead + row * (kSide + kCaption)}, kSide,
              answers[i], right);
  }
  const auto summary = str("What the model says: ", right, " of ", answers.size(), " right");
  draw_text(canvas, summary, {kGap, 28}, 0.6);
  save(canvas, path);
  std::cout << summary << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Draws learning_curve.png from metrics.jsonl and contact_sheet.png from what "
      "wf_infer --json printed.");
  return wf::run_tool(&app, [&] {
    std::string metrics, predictions, output;
    app.add_option("--metrics", metrics, "metrics.jsonl of a run")->required();
    app.add_option("--predictions", predictions, "lines of wf_infer --json");
    app.add_option("--output", output, "folder for the pictures")->required();
    app.parse(argc, argv);
    fs::create_directories(output);
    draw_learning_curve(metrics, output + "/learning_curve.png");
    if (!predictions.empty()) draw_contact_sheet(predictions, output + "/contact_sheet.png");
    return 0;
  });
}

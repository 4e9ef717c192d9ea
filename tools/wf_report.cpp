// Draws a run: its learning curve, and pictures with what the model says of them. See --help.

#include "weightformer/core/check.h"

#include "chart.h"
#include "tool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

using namespace wf;
using nlohmann::json;
namespace fs = std::filesystem;

// Calls use(object) for each line of a file of JSON objects. A last line that was cut short is left
// out; anything else that is not as expected throws wf::Error naming file and line.
template <typename Use>
void for_each_line(const std::string& path, Use use) {
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot open");
  int number = 0, used = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_object() && in.peek() == EOF) {
      std::cerr << "warning: " << path << ":" << number << ": cut short, left out\n";
      continue;
    }
    WF_CHECK(value.is_object(), path, ":", number, ": not a JSON object");
    try {
      use(value);
    } catch (const json::exception& problem) {
      const std::string what = problem.what();  // "[json.exception.…] key 'image' not found"
      throw Error(str(path, ":", number, ": ", what.substr(what.find("] ") + 2)));
    }
    ++used;
  }
  WF_CHECK(used > 0, path, ": nothing in it");
}

void save(const cv::Mat& picture, const std::string& path) {
  WF_CHECK(cv::imwrite(path, picture), path, ": cannot write");
  std::cout << path << "\n";
}

void draw_learning_curve(const std::string& metrics, const std::string& path) {
  Series train{"training", {190, 120, 40}, {}}, val{"validation", {60, 120, 230}, {}};
  Series top1{"top-1", {60, 140, 50}, {}};
  // JSON has no NaN: a value that was not finite is null.
  const auto number = [](const json& value) {
    return value.is_null() ? std::nan("") : value.get<double>();
  };
  double best = 0;
  for_each_line(metrics, [&](const json& line) {
    train.values.push_back(number(line.at("train_loss")));
    val.values.push_back(number(line.at("val_loss")));
    top1.values.push_back(number(line.at("val_acc1")));
    best = std::fmax(best, top1.values.back());
  });
  top1.name = fmt::format("top-1, best {:.2f}", best);
  cv::Mat canvas(460, 1200, CV_8UC3, kWhite);
  draw_chart(canvas, {0, 0, 600, 460}, "Loss", {train, val});
  draw_chart(canvas, {600, 0, 600, 460}, "Validation accuracy, percent", {top1});
  save(canvas, path);
}

struct Answer {
  cv::Mat picture;
  std::string truth, said;
  double probability = 0;
};

std::vector<Answer> read_answers(const std::string& path) {
  std::vector<Answer> answers;
  for_each_line(path, [&](const json& line) {
    const std::string file = line.at("image");
    const auto& best = line.at("top").at(0);
    Answer answer{cv::imread(file, cv::IMREAD_COLOR),
                  fs::path(file).parent_path().filename().string(), best.at("class"),
                  best.at("probability")};
    WF_CHECK(!answer.picture.empty(), file, ": cannot be read");
    answers.push_back(std::move(answer));
  });
  return answers;
}

// One picture with its caption: right answers in green, wrong ones in red with the true class.
void draw_cell(cv::Mat& canvas, cv::Point at, int side, const Answer& answer) {
  cv::Mat scaled;
  cv::resize(answer.picture, scaled, {side, side}, 0, 0, cv::INTER_CUBIC);
  scaled.copyTo(canvas(cv::Rect(at.x, at.y, side, side)));
  const bool correct = answer.said == answer.truth;
  const cv::Scalar color = correct ? cv::Scalar(60, 140, 50) : cv::Scalar(50, 50, 210);
  cv::rectangle(canvas, cv::Rect(at.x, at.y, side, side), color, 2);
  const auto write = [&](const std::string& text, int below, const cv::Scalar& ink) {
    const double size = 0.4 * std::min(1.0, (side + 10.0) / text_width(text, 0.4));
    draw_text(canvas, text, {at.x, at.y + side + below}, size, ink);
  };
  write(fmt::format("{} {:.0f}%", answer.said, 100 * answer.probability), 16, color);
  if (!correct) write("is " + answer.truth, 32, kInk);
}

void draw_contact_sheet(const std::string& predictions, const std::string& path) {
  constexpr int kColumns = 8, kSide = 112, kGap = 20, kCaption = 46, kHead = 44;
  const auto answers = read_answers(predictions);
  const int count = static_cast<int>(answers.size()), rows = (count + kColumns - 1) / kColumns;
  cv::Mat canvas(kHead + rows * (kSide + kCaption), kGap + kColumns * (kSide + kGap), CV_8UC3,
                 kWhite);
  for (int i = 0; i < count; ++i) {
    const cv::Point at(kGap + i % kColumns * (kSide + kGap),
                       kHead + i / kColumns * (kSide + kCaption));
    draw_cell(canvas, at, kSide, answers[i]);
  }
  const auto right = std::count_if(answers.begin(), answers.end(),
                                   [](const Answer& a) { return a.said == a.truth; });
  const auto summary = fmt::format("What the model says: {} of {} right ({:.1f} %)", right, count,
                                   100.0 * static_cast<double>(right) / count);
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
    // What cannot be read is told by us, in one line.
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    std::error_code problem;
    fs::create_directories(output, problem);
    WF_CHECK(!problem, output, ": ", problem.message());
    draw_learning_curve(metrics, output + "/learning_curve.png");
    if (!predictions.empty()) draw_contact_sheet(predictions, output + "/contact_sheet.png");
    return 0;
  });
}

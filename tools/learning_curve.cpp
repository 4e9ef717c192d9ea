#include "chart.h"
#include "json_lines.h"
#include "report.h"

#include <fmt/format.h>

#include <cmath>

namespace wf {

void draw_learning_curve(const std::string& metrics, const std::string& path) {
  Series train{"training", {190, 120, 40}, {}}, val{"validation", {60, 120, 230}, {}};
  Series top1{"top-1", {60, 140, 50}, {}};
  // JSON has no NaN: a value that was not finite is null. An epoch without validation has none.
  const auto number = [](const nlohmann::json& line, const char* key) {
    const auto found = line.find(key);
    return found == line.end() || found->is_null() ? std::nan("") : found->get<double>();
  };
  double best = 0;
  for_each_json_line(metrics, [&](const nlohmann::json& line) {
    if (!line.contains("train_loss")) return;  // of a step
    train.values.push_back(number(line, "train_loss"));
    val.values.push_back(number(line, "val_loss"));
    top1.values.push_back(number(line, "val_acc1"));
    best = std::fmax(best, top1.values.back());
  });
  top1.name = fmt::format("top-1, best {:.2f}", best);
  cv::Mat canvas(460, 1200, CV_8UC3, kWhite);
  draw_chart(canvas, {0, 0, 600, 460}, "Loss", {train, val});
  draw_chart(canvas, {600, 0, 600, 460}, "Validation accuracy, percent", {top1});
  save(canvas, path);
}

}  // namespace wf

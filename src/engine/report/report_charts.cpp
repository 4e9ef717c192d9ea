#include "engine/report/report_charts.h"

#include "core/text.h"

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

using Lines = std::vector<nlohmann::ordered_json>;

bool has_values(const Curve& curve) {
  return std::any_of(curve.y.begin(), curve.y.end(), [](double y) { return std::isfinite(y); });
}

void add(Chart& chart, Curve curve) {
  if (has_values(curve)) chart.curves.push_back(std::move(curve));
}

// Epochs count from 1, as on the console.
Curve by_epoch(const Lines& lines, const std::string& key, const std::string& name, int color) {
  Curve curve{name, {}, {}, color};
  for (const auto& line : lines) {
    curve.x.push_back(number_at(line, "epoch") + 1);
    curve.y.push_back(number_at(line, key));
  }
  return curve;
}

Curve by_step(const Lines& lines, const std::string& key, const std::string& name, int color,
              double factor) {
  Curve curve{name, {}, {}, color};
  for (const auto& line : lines) {
    curve.x.push_back(number_at(line, "step"));
    curve.y.push_back(factor * number_at(line, key));
  }
  return curve;
}

// Curves of one run have the names of what they show, those of several the names of the runs.
std::string curve_name(const std::vector<RunFiles>& runs, size_t run, const std::string& what,
                       bool main) {
  if (runs.size() == 1) return what;
  return main ? runs[run].name : runs[run].name + " " + what;
}

int color_of(const std::vector<RunFiles>& runs, size_t run, int what) {
  return runs.size() == 1 ? what : static_cast<int>(run);
}

Chart loss_chart(const std::vector<RunFiles>& runs) {
  Chart chart{"Loss", "epoch", {}};
  for (size_t i = 0; i < runs.size(); ++i) {
    auto train = by_epoch(runs[i].epochs, "train_loss", curve_name(runs, i, "training", false),
                          color_of(runs, i, 0));
    train.dashed = runs.size() > 1;
    add(chart, std::move(train));
    add(chart, by_epoch(runs[i].epochs, "val_loss", curve_name(runs, i, "validation", true),
                        color_of(runs, i, 1)));
    if (runs.size() > 1) continue;
    auto ema = by_epoch(runs[i].epochs, "val_ema_loss", "EMA", 2);
    ema.dashed = true;
    add(chart, std::move(ema));
  }
  return chart;
}

// Dashed: of EMA weights.
Chart metric_chart(const std::vector<RunFiles>& runs, const std::string& key) {
  Chart chart{metric_title(key), "epoch", {}};
  for (size_t i = 0; i < runs.size(); ++i) {
    add(chart, by_epoch(runs[i].epochs, key, curve_name(runs, i, "trained weights", true),
                        color_of(runs, i, 1)));
    auto ema = by_epoch(runs[i].epochs, "val_ema_" + key.substr(4),
                        curve_name(runs, i, "EMA", false), color_of(runs, i, 2));
    ema.dashed = true;
    add(chart, std::move(ema));
  }
  return chart;
}

struct StepFigure {
  const char *key, *title;
  double factor = 1;
};

constexpr StepFigure kStepFigures[] = {{"loss", "Training loss by step"},
                                       {"lr", "Learning rate"},
                                       {"grad_norm", "Gradient norm, before clipping"},
                                       {"images_per_s", "Images per second"},
                                       {"data_wait", "Data wait, % of the training time", 100},
                                       {"memory_mib", "Memory, MiB"}};

}  // namespace

std::vector<std::string> metric_keys(const RunFiles& run) {
  std::vector<std::string> keys;
  for (const auto& line : run.epochs) {
    for (const auto& [key, value] : line.items()) {
      if (!starts_with(key, "val_") || starts_with(key, "val_ema")) continue;
      if (value.is_number_integer()) continue;  // a count
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

std::string metric_title(const std::string& key) {
  const auto name = key.substr(4);
  if (name == "acc1" || name == "acc5") return "Validation top-" + name.substr(3) + ", %";
  if (name == "loss") return "Validation loss";
  return "Validation " + name;
}

std::vector<Chart> report_charts(const std::vector<RunFiles>& runs) {
  std::vector<Chart> charts{loss_chart(runs)};
  std::vector<std::string> seen{"val_loss"};
  for (const auto& run : runs) {
    for (const auto& key : metric_keys(run)) {
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
      seen.push_back(key);
      charts.push_back(metric_chart(runs, key));
    }
  }
  for (const auto& figure : kStepFigures) {
    Chart chart{figure.title, "step", {}};
    for (size_t i = 0; i < runs.size(); ++i) {
      add(chart, by_step(runs[i].steps, figure.key, curve_name(runs, i, "", true),
                         color_of(runs, i, 0), figure.factor));
    }
    charts.push_back(std::move(chart));
  }
  charts.erase(std::remove_if(charts.begin(), charts.end(),
                              [](const auto& chart) { return chart.curves.empty(); }),
               charts.end());
  return charts;
}

}  // namespace wf

#include "engine/report/report_page.h"

#include "engine/report/confusion.h"
#include "engine/report/page_style.h"
#include "engine/report/report_charts.h"
#include "engine/report/svg_chart.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace wf {
namespace {

constexpr size_t kPairs = 15;

bool is_accuracy(const std::string& key) { return key.find("acc") != std::string::npos; }

struct Best {
  double value = std::nan("");
  int64_t epoch = 0;  // from 1
};

// Accuracies are best when high and losses when low; of other metrics the last value is given.
Best best_of(const RunFiles& run, const std::string& key) {
  Best best;
  for (const auto& line : run.epochs) {
    const double value = number_at(line, key);
    if (!std::isfinite(value)) continue;
    const bool better = is_accuracy(key)                        ? value >= best.value
                        : key.find("loss") != std::string::npos ? value <= best.value
                                                                : true;
    if (!std::isnan(best.value) && !better) continue;
    best = {value, static_cast<int64_t>(number_at(line, "epoch")) + 1};
  }
  return best;
}

double last_of(const RunFiles& run, const std::string& key) {
  for (auto line = run.epochs.rbegin(); line != run.epochs.rend(); ++line) {
    const double value = number_at(*line, key);
    if (std::isfinite(value)) return value;
  }
  return std::nan("");
}

double largest_memory(const RunFiles& run) {
  double most = std::nan("");
  for (const auto& line : run.steps) most = std::fmax(most, number_at(line, "memory_mib"));
  return most;
}

// Of all epochs, each weighted by the time that it took: images / (images per second).
double data_wait(const RunFiles& run) {
  double waited = 0, time = 0;
  for (const auto& line : run.epochs) {
    const double share = number_at(line, "data_wait"), speed = number_at(line, "images_per_s");
    if (!std::isfinite(share) || !(speed > 0)) continue;
    waited += share / speed;
    time += 1 / speed;
  }
  return waited / time;
}

std::string card(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escape_xml(value),
                     escape_xml(what));
}

std::string with_unit(const std::string& key, double value) {
  return is_accuracy(key) && std::isfinite(value) ? fmt::format("{:.2f} %", value)
                                                  : short_number(value, 4);
}

std::string cards(const RunFiles& run) {
  std::string out = "<div class=\"cards\">\n";
  for (const auto& key : metric_keys(run)) {
    const auto best = best_of(run, key);
    if (!std::isfinite(best.value)) continue;
    out += card(with_unit(key, best.value),
                fmt::format("{}, epoch {}", metric_title(key), best.epoch));
  }
  out += card(short_number(last_of(run, "train_loss"), 4), "Training loss, last epoch");
  out += card(short_number(last_of(run, "images_per_s"), 4), "Images per second, last epoch");
  const double wait = data_wait(run);
  out += card(std::isfinite(wait) ? fmt::format("{:.1f} %", 100 * wait) : "–",
              "Data wait, of the training time");
  const double memory = largest_memory(run);
  if (std::isfinite(memory)) out += card(short_number(memory, 4) + " MiB", "Most memory used");
  return out + "</div>\n";
}

std::string charts(const std::vector<RunFiles>& runs) {
  std::string out = "<h2>Curves</h2>\n<div class=\"grid\">\n";
  for (const auto& chart : report_charts(runs)) {
    out += "<div class=\"box\">\n" + svg_chart(chart) + "</div>\n";
  }
  return out + "</div>\n";
}

std::string confusions(const RunFiles& run) {
  const Confusion confusion(run.validation);
  if (confusion.empty()) return "";
  auto out = fmt::format(
      "<h2>Confusions of the validation after epoch {}</h2>\n<div class=\"grid\">\n"
      "<div class=\"box\">\n{}<p class=\"note\">True classes in rows, predicted ones in "
      "columns{}.</p></div>\n<div class=\"box\"><table>\n<tr><th>true class</th><th>predicted</th>"
      "<th class=\"n\">images</th><th class=\"n\">% of the class</th></tr>\n",
      run.validation.value("epoch", 0) + 1, confusion.svg(),
      confusion.shown() < confusion.classes()
          ? fmt::format(": the {} of {} classes with the most errors", confusion.shown(),
                        confusion.classes())
          : "");
  for (const auto& pair : confusion.most_confused(kPairs)) {
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{:.1f}</td></tr>\n",
        escape_xml(pair.truth), escape_xml(pair.predicted), pair.count,
        100.0 * static_cast<double>(pair.count) / static_cast<double>(pair.images));
  }
  return out + "</table></div>\n</div>\n";
}

std::string worst_images(const RunFiles& run) {
  if (!run.validation.is_object() || run.validation["worst"].empty()) return "";
  std::string out = "<h2>Images with the largest loss</h2>\n<div class=\"box thumbs\">\n";
  for (const auto& sample : run.validation["worst"]) {
    const std::string image = sample.at("image"), truth = sample.at("truth"),
                      predicted = sample.at("predicted");
    out += fmt::format(
        "<figure><img{} src=\"{}\" alt=\"\" title=\"{}\"><figcaption>is <b>{}</b><br>"
        "<span class=\"{}\">{} {:.0f} %</span><br>loss {:.2f}</figcaption></figure>\n",
        image.rfind("data:image/png", 0) == 0 ? " class=\"small\"" : "", escape_xml(image),
        escape_xml(sample.at("name").get<std::string>()), escape_xml(truth),
        truth == predicted ? "good" : "bad", escape_xml(predicted),
        100 * number_at(sample, "probability"), number_at(sample, "loss"));
  }
  return out + "</div>\n";
}

std::string changed_settings(const RunFiles& run) {
  std::string out =
      "<h2>Settings that are not defaults</h2>\n<div class=\"box\"><table>\n"
      "<tr><th>key</th><th>value</th><th>default</th></tr>\n";
  size_t changed = 0;
  for (const auto& setting : run.settings) {
    if (setting.value == setting.default_value) continue;
    ++changed;
    out += fmt::format(
        "<tr><td><code>{}</code></td><td><code>{}</code></td><td><code>{}</code></td></tr>\n",
        setting.name, escape_xml(setting.value), escape_xml(setting.default_value));
  }
  return changed > 0 ? out + "</table></div>\n" : "";
}

// A row with the runs and their colors.
std::string run_columns(const std::vector<RunFiles>& runs, const std::string& first) {
  std::string row = "<tr><th>" + first + "</th>";
  for (size_t i = 0; i < runs.size(); ++i) {
    row += fmt::format("<th><span class=\"chip\" style=\"background:{}\"></span>{}</th>",
                       palette(static_cast<int>(i)), escape_xml(runs[i].name));
  }
  return row + "</tr>\n";
}

// One column for each run.
std::string comparison(const std::vector<RunFiles>& runs) {
  std::string rows;
  std::set<std::string> keys;
  for (const auto& run : runs) {
    for (const auto& key : metric_keys(run)) keys.insert(key);
  }
  const auto row = [&](const std::string& what, auto value) {
    rows += "<tr><td>" + escape_xml(what) + "</td>";
    for (const auto& run : runs) rows += "<td>" + escape_xml(value(run)) + "</td>";
    rows += "</tr>\n";
  };
  row("epochs", [](const RunFiles& run) { return std::to_string(run.epochs.size()); });
  for (const auto& key : keys) {
    row("best: " + metric_title(key), [&](const RunFiles& run) {
      const auto best = best_of(run, key);
      return std::isfinite(best.value)
                 ? fmt::format("{} (epoch {})", with_unit(key, best.value), best.epoch)
                 : std::string("–");
    });
  }
  row("images per second",
      [](const RunFiles& run) { return short_number(last_of(run, "images_per_s"), 4); });
  row("data wait",
      [](const RunFiles& run) { return fmt::format("{:.1f} %", 100 * data_wait(run)); });
  return "<div class=\"box\"><table>\n" + run_columns(runs, "") + rows + "</table></div>\n";
}

std::string different_settings(const std::vector<RunFiles>& runs) {
  std::string out;
  const auto count = runs[0].settings.size();
  for (const auto& run : runs) {
    if (run.settings.size() != count) return "";  // one has no config.yaml
  }
  for (size_t i = 0; i < count; ++i) {
    std::set<std::string> values;
    auto row = "<tr><td><code>" + runs[0].settings[i].name + "</code></td>";
    for (const auto& run : runs) {
      values.insert(run.settings[i].value);
      row += "<td><code>" + escape_xml(run.settings[i].value) + "</code></td>";
    }
    if (values.size() > 1) out += row + "</tr>\n";
  }
  return "<h2>Settings that differ</h2>\n<div class=\"box\"><table>\n" + run_columns(runs, "key") +
         out + "</table></div>\n";
}

std::string page(const std::string& title, const std::string& subtitle, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n"
      "<p class=\"sub\">{2}</p>\n{3}</main>\n<script>{4}</script>\n</body>\n</html>\n",
      escape_xml(title), kPageStyle, escape_xml(subtitle), body, kPageScript);
}

std::string progress_of(const RunFiles& run) {
  const auto epochs = static_cast<int64_t>(last_of(run, "epoch")) + 1;
  const auto step = static_cast<int64_t>(last_of(run, "step"));
  return run.epochs.empty() ? "no epoch is finished yet"
                            : fmt::format("{} epochs, {} optimizer steps", epochs, step);
}

}  // namespace

std::string report_page(const std::vector<RunFiles>& runs) {
  if (runs.size() == 1) {
    const auto& run = runs[0];
    return page(
        run.name, progress_of(run),
        cards(run) + charts(runs) + confusions(run) + worst_images(run) + changed_settings(run));
  }
  return page(fmt::format("{} runs", runs.size()), "the same figures of each run in one chart",
              comparison(runs) + charts(runs) + different_settings(runs));
}

std::string learning_curve(const RunFiles& run) {
  std::string out;
  constexpr double kWidth = 560, kHeight = 300;
  double x = 0;
  for (const auto& chart : report_charts({run})) {
    if (chart.x_label != "epoch" || x >= 2 * kWidth) continue;
    const std::string place =
        fmt::format("<svg x=\"{}\" width=\"{}\" height=\"{}\"", x, kWidth, kHeight);
    out += place + svg_chart(chart).substr(4);
    x += kWidth;
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{2}</svg>\n",
      x, kHeight, out);
}

}  // namespace wf

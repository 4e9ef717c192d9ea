#include "engine/report/confusion.h"

#include "weightformer/core/check.h"

#include "engine/report/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace wf {
namespace {

constexpr size_t kMostShown = 40;
constexpr double kLabels = 110, kHeader = 96, kSide = 440;

// Longer ones are cut, without cutting a UTF-8 character.
std::string short_name(const std::string& name) {
  constexpr size_t kMost = 15;
  if (name.size() <= kMost) return name;
  size_t end = kMost - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return name.substr(0, end) + "…";
}

// Of the color of a cell: errors are rarer, and stronger for their number.
double strength_of(double part, bool correct) {
  return std::min(1.0, correct ? part : 0.15 + 1.5 * part);
}

// White to a color: blue for correct images, red for errors.
std::string shade(double strength, bool correct) {
  const auto mix = [&](int full) { return static_cast<int>(255 + (full - 255) * strength); };
  return correct ? fmt::format("#{:02x}{:02x}{:02x}", mix(42), mix(111), mix(187))
                 : fmt::format("#{:02x}{:02x}{:02x}", mix(214), mix(60), mix(48));
}

}  // namespace

Confusion::Confusion(const nlohmann::json& validation) {
  if (!validation.is_object()) return;
  names_ = validation.value("classes", names_);
  images_.resize(names_.size());
  errors_.resize(names_.size());
  for (const auto& each : validation.value("confusion", nlohmann::json::array())) {
    const Cell cell{each.at(0), each.at(1), each.at(2)};
    WF_CHECK(cell.truth < names_.size() && cell.predicted < names_.size(),
             "validation.json: a confusion of class ", cell.truth, " with ", cell.predicted,
             ", and there are ", names_.size(), " classes");
    cells_.push_back(cell);
    images_[cell.truth] += cell.count;
    if (cell.truth != cell.predicted) errors_[cell.truth] += cell.count;
  }
}

size_t Confusion::shown() const { return std::min(kMostShown, names_.size()); }

// In their order.
std::vector<size_t> Confusion::chosen() const {
  std::vector<size_t> classes(names_.size());
  std::iota(classes.begin(), classes.end(), 0);
  std::stable_sort(classes.begin(), classes.end(),
                   [&](size_t a, size_t b) { return errors_[a] > errors_[b]; });
  classes.resize(shown());
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::string Confusion::svg() const {
  const auto classes = chosen();
  std::map<size_t, size_t> place;
  for (size_t i = 0; i < classes.size(); ++i) place[classes[i]] = i;
  const double cell = kSide / static_cast<double>(std::max<size_t>(classes.size(), 4));
  const double side = cell * static_cast<double>(classes.size());
  const double font = std::min(11.0, 0.9 * cell);
  auto out = fmt::format(
      "<svg class=\"confusion\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"system-ui,sans-serif\" font-size=\"{2:.1f}\" fill=\"#333\" role=\"img\">\n"
      "<rect x=\"{3}\" y=\"{4}\" width=\"{5:.1f}\" height=\"{5:.1f}\" fill=\"#f7f7f7\"/>\n",
      kLabels + side + 90, kHeader + side + 10, font, kLabels, kHeader, side);
  for (size_t i = 0; i < classes.size(); ++i) {
    const double at = (static_cast<double>(i) + 0.5) * cell;
    const auto name = escape_xml(short_name(names_[classes[i]]));
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLabels - 6,
                       kHeader + at + 0.35 * font, name);
    out += fmt::format("<text transform=\"translate({:.1f} {:.1f})rotate(-45)\">{}</text>\n",
                       kLabels + at, kHeader - 6, name);
  }
  for (const auto& each : cells_) {
    const auto row = place.find(each.truth), column = place.find(each.predicted);
    if (row == place.end() || column == place.end()) continue;
    const double part = static_cast<double>(each.count) / static_cast<double>(images_[each.truth]);
    const double x = kLabels + cell * static_cast<double>(column->second);
    const double y = kHeader + cell * static_cast<double>(row->second);
    const bool correct = each.truth == each.predicted;
    const double strength = strength_of(part, correct);
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"><title>"
        "{} → {}: {} ({:.1f} %)</title></rect>",
        x, y, cell - 0.7, cell - 0.7, shade(strength, correct), escape_xml(names_[each.truth]),
        escape_xml(names_[each.predicted]), each.count, 100 * part);
    if (cell < 24) continue;
    out += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" fill=\"{}\" "
        "pointer-events=\"none\">{}</text>\n",
        x + cell / 2, y + cell / 2 + 4, strength > 0.55 ? "#fff" : "#333",
        short_number(static_cast<double>(each.count)));
  }
  return out + "</svg>\n";
}

std::vector<Confusion::Pair> Confusion::most_confused(size_t count) const {
  std::vector<Pair> pairs;
  for (const auto& cell : cells_) {
    if (cell.truth == cell.predicted) continue;
    pairs.push_back({names_[cell.truth], names_[cell.predicted], cell.count, images_[cell.truth]});
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  if (pairs.size() > count) pairs.resize(count);
  return pairs;
}

}  // namespace wf

#include "engine/report/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace wf {
namespace {

constexpr double kWidth = 560, kHeight = 300;
constexpr double kLeft = 58, kRight = 14, kTop = 52, kBottom = 40;
constexpr size_t kMostPoints = 400;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return !(low <= high); }
};

// The largest of 1, 2, 5 times a power of ten that gives at least four steps over `range`.
double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 4)));
  for (const double factor : {5.0, 2.0}) {
    if (range / (factor * power) >= 4) return factor * power;
  }
  return power;
}

std::vector<double> linear_ticks(const Range& range, double smallest_step = 0) {
  std::vector<double> ticks;
  const double step = std::max(smallest_step, tick_step(range.high - range.low));
  for (double at = std::ceil(range.low / step - 1e-9); at * step <= range.high * (1 + 1e-12);
       ++at) {
    ticks.push_back(at * step);
  }
  return ticks;
}

// 1, 2 and 5 times the powers of ten; only the powers when they are many.
std::vector<double> log_ticks(const Range& range) {
  std::vector<double> ticks;
  const bool many = range.high / range.low > 3e3;
  for (double power = std::floor(std::log10(range.low)); power <= std::log10(range.high); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, power);
      if (many && factor > 1) break;
      if (tick >= range.low && tick <= range.high) ticks.push_back(tick);
    }
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(range);
}

Curve thinned(const Curve& curve) {
  const size_t count = std::min(curve.x.size(), curve.y.size());
  if (count <= kMostPoints) return curve;
  Curve out = curve;
  out.x.clear();
  out.y.clear();
  for (size_t i = 0; i < kMostPoints; ++i) {
    double x = 0, y = 0, points = 0;
    for (size_t k = i * count / kMostPoints; k < (i + 1) * count / kMostPoints; ++k) {
      if (!std::isfinite(curve.y[k])) continue;
      x += curve.x[k], y += curve.y[k], ++points;
    }
    out.x.push_back(points > 0 ? x / points : curve.x[i * count / kMostPoints]);
    out.y.push_back(y / points);  // not finite without points: a gap
  }
  return out;
}

class Plot {
 public:
  explicit Plot(const Chart& chart) : chart_(chart) {
    for (const auto& curve : chart.curves) {
      curves_.push_back(thinned(curve));
      for (const double x : curves_.back().x) x_.add(x);
      for (const double y : curves_.back().y) y_.add(y);
    }
    if (x_.empty()) x_ = {0, 1};
    if (x_.low == x_.high) x_ = {x_.low - 0.5, x_.high + 0.5};
    has_log_ = !y_.empty() && y_.low > 0;
    if (y_.empty()) y_ = {0, 1};
  }

  std::string svg() {
    out_ = fmt::format(
        "<svg class=\"chart\" data-x=\"{}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} "
        "{}\" "
        "font-family=\"system-ui,sans-serif\" font-size=\"11\" fill=\"#333\" role=\"img\">\n"
        "<text x=\"{}\" y=\"18\" font-size=\"14\" font-weight=\"600\">{}</text>\n",
        escape_xml(chart_.x_label), kWidth, kHeight, kLeft, escape_xml(chart_.title));
    legend();
    x_axis();
    scale(/*log=*/false);
    if (has_log_) scale(/*log=*/true);
    values();
    return out_ + "</svg>\n";
  }

 private:
  void text(double x, double y, const char* anchor, const std::string& content) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, y,
                        anchor, escape_xml(content));
  }
  void line(double x1, double y1, double x2, double y2, const std::string& style) {
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" {}/>", x1, y1, x2, y2, style);
  }
  static std::string stroke(const Curve& curve) {
    return fmt::format(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"{}",
        palette(curve.color), curve.dashed ? " stroke-dasharray=\"5 3\"" : "");
  }

  // Names that exceed the line are left out; their widths are estimated.
  void legend() {
    double x = kLeft;
    for (const auto& curve : curves_) {
      if (curve.name.empty()) continue;
      const double width = 6.2 * static_cast<double>(curve.name.size()) + 38;
      if (x + width > kWidth + 20) break;
      line(x, 34, x + 18, 34, stroke(curve));
      text(x + 23, 38, "start", curve.name);
      x += width;
    }
    out_ += "\n";
  }

  void x_axis() {
    for (const double tick : linear_ticks(x_, /*smallest_step=*/1)) {  // epochs and steps
      line(x_of(tick), kHeight - kBottom, x_of(tick), kHeight - kBottom + 4, "stroke=\"#999\"");
      text(x_of(tick), kHeight - kBottom + 16, "middle", short_number(tick));
    }
    text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", chart_.x_label);
    out_ += "\n";
  }

  // The vertical axis and the curves.
  void scale(bool log) {
    log_ = log;
    Range range = y_;
    const double margin = std::max(1e-9, 0.05 * (y_.high - y_.low) + 1e-3 * std::abs(y_.high));
    const double factor = std::pow(std::max(y_.high / std::max(y_.low, 1e-300), 1.01), 0.05);
    range =
        log ? Range{y_.low / factor, y_.high * factor} : Range{y_.low - margin, y_.high + margin};
    if (!log && y_.low >= 0) range.low = std::max(range.low, 0.0);
    shown_ = range;
    out_ += log ? "<g class=\"log\" display=\"none\">\n" : "<g class=\"linear\">\n";
    for (const double tick : log ? log_ticks(range) : linear_ticks(range)) {
      line(kLeft, y_of(tick), kWidth - kRight, y_of(tick), "stroke=\"#e4e4e4\"");
      text(kLeft - 6, y_of(tick) + 4, "end", short_number(tick, 4));
    }
    out_ += "\n";
    for (const auto& curve : curves_) draw(curve);
    out_ += "</g>\n";
  }

  void draw(const Curve& curve) {
    std::string path;
    bool pen_down = false;
    size_t points = 0;
    for (size_t i = 0; i < curve.x.size(); ++i) {
      if (!std::isfinite(curve.y[i])) {
        pen_down = false;
        continue;
      }
      path +=
          fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x_of(curve.x[i]), y_of(curve.y[i]));
      pen_down = true;
      ++points;
    }
    if (points == 1) path += "h0.1";  // a dot, drawn by the round cap
    out_ += fmt::format("<path class=\"curve\" d=\"{}\" stroke-linecap=\"round\" {}/>\n", path,
                        stroke(curve));
  }

  // Of the points that are drawn, for the script.
  void values() {
    for (const auto& curve : curves_) {
      std::string x, y;
      for (size_t i = 0; i < curve.x.size(); ++i) {
        if (!std::isfinite(curve.y[i])) continue;
        x += fmt::format("{}{:.6g}", x.empty() ? "" : " ", curve.x[i]);
        y += fmt::format("{}{:.5g}", y.empty() ? "" : " ", curve.y[i]);
      }
      out_ +=
          fmt::format("<desc data-name=\"{}\" data-color=\"{}\" data-x=\"{}\" data-y=\"{}\"/>\n",
                      escape_xml(curve.name), palette(curve.color), x, y);
    }
  }

  double x_of(double x) const {
    return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
  }
  double y_of(double y) const {
    const double part = log_ ? std::log(y / shown_.low) / std::log(shown_.high / shown_.low)
                             : (y - shown_.low) / (shown_.high - shown_.low);
    return kHeight - kBottom - part * (kHeight - kTop - kBottom);
  }

  const Chart& chart_;
  std::vector<Curve> curves_;
  Range x_, y_, shown_;
  bool has_log_ = false, log_ = false;
  std::string out_;
};

}  // namespace

std::string svg_chart(const Chart& chart) { return Plot(chart).svg(); }

std::string palette(int color) {
  static constexpr std::array kColors{"#2a6fbb", "#dd6b20", "#2f8f5b", "#8e4fa8",
                                      "#c23b4b", "#1f9aa8", "#8a6d3b", "#6b7280"};
  return kColors[static_cast<size_t>(color) % kColors.size()];
}

std::string escape_xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
  }
  return out;
}

std::string short_number(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  const double size = std::abs(value);
  if (size < 1e-12) return "0";
  if (size >= 1e9) return fmt::format("{:.{}g}G", value / 1e9, digits);
  if (size >= 1e6) return fmt::format("{:.{}g}M", value / 1e6, digits);
  if (size >= 1e4) return fmt::format("{:.{}g}k", value / 1e3, digits);
  // Without an exponent below that.
  if (size >= 1000) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}g}", value, digits);
}

}  // namespace wf

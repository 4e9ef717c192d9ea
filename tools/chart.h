// Line charts and captions drawn with OpenCV.
#pragma once

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

namespace wf {

const cv::Scalar kWhite(255, 255, 255), kInk(60, 50, 45), kGrid(230, 226, 222);

inline void draw_text(cv::Mat& canvas, const std::string& text, cv::Point at, double size,
                      const cv::Scalar& color = kInk) {
  cv::putText(canvas, text, at, cv::FONT_HERSHEY_SIMPLEX, size, color, 1, cv::LINE_AA);
}

inline int text_width(const std::string& text, double size) {
  int baseline = 0;
  return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, size, 1, &baseline).width;
}

struct Series {
  std::string name;
  cv::Scalar color;  // BGR
  std::vector<double> values;
};

/// The largest of 1, 2, 5 times a power of ten that gives at least four steps over `range`.
inline double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 4)));
  for (double factor : {5.0, 2.0}) {
    if (range / (factor * power) >= 4) return factor * power;
  }
  return power;
}

/// Draws `series` over x = 1, 2, … into `area` of `canvas`, with axes, ticks, legend and title.
/// Values that are not finite leave a gap.
inline void draw_chart(cv::Mat& canvas, cv::Rect area, const std::string& title,
                       const std::vector<Series>& series) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  size_t count = 1;
  for (const auto& s : series) {
    for (double value : s.values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    count = std::max(count, s.values.size());
  }
  if (!(low <= high)) low = 0, high = 1;
  const double margin = std::max(1e-9, 0.08 * (high - low) + 1e-3 * std::abs(high));
  low -= margin;
  high += margin;
  const cv::Rect plot(area.x + 60, area.y + 45, area.width - 85, area.height - 95);
  const auto x_of = [&](size_t i) {
    return plot.x +
           (count > 1 ? static_cast<int>(i * (plot.width - 1) / (count - 1)) : plot.width / 2);
  };
  const auto y_of = [&](double value) {
    return plot.y + plot.height - static_cast<int>((value - low) / (high - low) * plot.height);
  };
  draw_text(canvas, title, {plot.x, area.y + 28}, 0.6);
  const double step = tick_step(high - low);
  for (double tick = std::ceil(low / step) * step; tick <= high; tick += step) {
    char label[32];
    std::snprintf(label, sizeof(label), "%g", std::round(tick / step) * step);
    cv::line(canvas, {plot.x, y_of(tick)}, {plot.x + plot.width, y_of(tick)}, kGrid, 1);
    draw_text(canvas, label, {plot.x - 10 - text_width(label, 0.42), y_of(tick) + 5}, 0.42);
  }
  const size_t every = std::max<size_t>(1, (count + 9) / 10);
  for (size_t i = 0; i < count; i += every) {
    const auto label = std::to_string(i + 1);
    draw_text(canvas, label, {x_of(i) - text_width(label, 0.42) / 2, plot.y + plot.height + 20},
              0.42);
  }
  cv::rectangle(canvas, plot, kInk, 1);
  draw_text(canvas, "epoch", {plot.x + plot.width / 2 - 20, plot.y + plot.height + 42}, 0.45);
  int legend = plot.x + plot.width;
  for (const auto& s : series) {
    for (size_t i = 0; i < s.values.size(); ++i) {
      if (!std::isfinite(s.values[i])) continue;
      const cv::Point at(x_of(i), y_of(s.values[i]));
      cv::circle(canvas, at, 3, s.color, cv::FILLED, cv::LINE_AA);
      if (i > 0 && std::isfinite(s.values[i - 1]))
        cv::line(canvas, {x_of(i - 1), y_of(s.values[i - 1])}, at, s.color, 2, cv::LINE_AA);
    }
    legend -= text_width(s.name, 0.45) + 34;
    cv::line(canvas, {legend, area.y + 23}, {legend + 18, area.y + 23}, s.color, 2, cv::LINE_AA);
    draw_text(canvas, s.name, {legend + 24, area.y + 28}, 0.45);
  }
}

}  // namespace wf

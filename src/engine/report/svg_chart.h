// Line charts as SVG.
#pragma once

#include <string>
#include <vector>

namespace wf {

struct Curve {
  std::string name;
  std::vector<double> x, y;  ///< a point that is not finite leaves a gap
  int color = 0;             ///< its place in the palette
  bool dashed = false;
};

struct Chart {
  std::string title, x_label;
  std::vector<Curve> curves;
};

/// An <svg> element with axes, ticks, a legend and at most 400 points per curve, each the mean of
/// its neighbors. When all values are positive it has the curves on a logarithmic axis too, hidden,
/// for the script of the report, which also needs the values in its <desc> elements to show them
/// under the pointer.
std::string svg_chart(const Chart& chart);

/// A color of the palette, which repeats: "#2a6fbb".
std::string palette(int color);

/// `text` for the content or an attribute of an element.
std::string escape_xml(const std::string& text);

/// 0.00012, 3.4, 12k, 1.5M: a number with at most `digits` significant digits.
std::string short_number(double value, int digits = 3);

}  // namespace wf

#include "weightformer/core/check.h"
#include "weightformer/serialization/safetensors.h"

#include "canvas.h"
#include "engine/inspect/color_map.h"
#include "engine/inspect/effective_field.h"
#include "erf.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

constexpr double kSide = 132, kGap = 12, kLabels = 112, kTop = 46, kLine = 18, kBar = 12;
// The maps fall over several orders of magnitude; the scale of RepLKNet's drawings.
constexpr double kExponent = 0.25;

// Divided by its maximum: maps are compared by their shapes.
at::Tensor colored(const at::Tensor& map) { return heat_colors((map / map.max()).pow(kExponent)); }

void draw_row(Canvas& canvas, const FieldSheet& sheet, double y, bool after) {
  canvas.text(after ? "after training" : "before training", kLabels - kGap, y + kSide / 2,
              Align::right);
  for (size_t i = 0; i < sheet.columns.size(); ++i) {
    const auto& column = sheet.columns[i];
    if (after && !column.after) continue;
    const auto& map = after ? column.after->map : column.before.map;
    const double x = kLabels + static_cast<double>(i) * (kSide + kGap);
    const auto height = static_cast<double>(map.size(0)), width = static_cast<double>(map.size(1));
    const double scale = kSide / std::max(height, width);
    canvas.image(colored(map), x, y, width * scale, height * scale);
  }
}

void draw_areas(Canvas& canvas, const FieldSheet& sheet, double y, bool trained) {
  canvas.text("area that holds", kLabels - kGap, y - kLine, Align::right);
  for (const double part : kFieldParts) {
    canvas.text(fmt::format("{:.0f} %", 100 * part), kLabels - kGap, y, Align::right);
    for (size_t i = 0; i < sheet.columns.size(); ++i) {
      const auto& column = sheet.columns[i];
      auto text = show_area(column.before, part);
      if (trained) text += " > " + (column.after ? show_area(*column.after, part) : "-");
      canvas.text(text, kLabels + static_cast<double>(i) * (kSide + kGap) + kSide / 2, y,
                  Align::middle);
    }
    y += kLine;
  }
}

void draw_bar(Canvas& canvas, double x, double y) {
  const auto values = torch::linspace(1, 0, 64, torch::kDouble).unsqueeze(1);
  canvas.image(heat_colors(values), x, y, kBar, kSide);
  for (const double value : {0.0, 0.5, 1.0}) {
    canvas.text(fmt::format("{:.4g}", std::pow(value, 1 / kExponent)), x + kBar + 4,
                y + (1 - value) * kSide + 4, Align::left);
  }
}

}  // namespace

std::string show_area(const FieldMap& map, double part) {
  return fmt::format("{:.1f} %", 100 * area_ratio(map.map, part));
}

void draw_sheet(const FieldSheet& sheet, const std::string& path) {
  const bool trained = std::any_of(sheet.columns.begin(), sheet.columns.end(),
                                   [](const auto& column) { return column.after.has_value(); });
  const auto columns = static_cast<double>(sheet.columns.size()), rows = trained ? 2.0 : 1.0;
  const double bottom = kTop + rows * (kSide + kGap), right = kLabels + columns * (kSide + kGap);
  const auto canvas = make_canvas(path, right + 60, bottom + 7 * kLine);
  canvas->text(fmt::format("Effective receptive fields of the central tokens, mean of {} images; "
                           "each map / its maximum",
                           sheet.images),
               kGap, kLine, Align::left);
  for (size_t i = 0; i < sheet.columns.size(); ++i) {
    canvas->text(sheet.columns[i].title,
                 kLabels + static_cast<double>(i) * (kSide + kGap) + kSide / 2, kTop - 6,
                 Align::middle);
  }
  draw_row(*canvas, sheet, kTop, /*after=*/false);
  if (trained) draw_row(*canvas, sheet, kTop + kSide + kGap, /*after=*/true);
  draw_bar(*canvas, right, kTop);
  draw_areas(*canvas, sheet, bottom + 2 * kLine, trained);
  canvas->save();
}

}  // namespace wf
